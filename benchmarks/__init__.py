"""Measurements of Alvura's speed, costs and quality; the figures are in `results/`."""
