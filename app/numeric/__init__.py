"""Arithmetic on arrays that reading PNGs and binarizing share."""
