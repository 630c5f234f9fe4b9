"""Shared parts of tests and benchmarks, in packages by what they are for."""
