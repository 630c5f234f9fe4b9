"""Hostile, damaged and odd inputs, by name or by seed: PNGs, job messages and HTTP requests."""
