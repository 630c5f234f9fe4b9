"""Correct what the network decides where it is known to be wrong."""
