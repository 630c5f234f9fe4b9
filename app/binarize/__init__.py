"""Binarization: gray pages in, black-and-white pages out. Arithmetic only."""
