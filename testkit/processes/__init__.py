"""Run the application as real processes."""
