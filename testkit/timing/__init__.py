"""Clocks, deadlines, and the lock for a test that needs the machine alone."""
