"""What Alvura costs and how good it is; the figures are in `results/`."""
