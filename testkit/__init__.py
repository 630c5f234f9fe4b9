"""Shared parts of tests and benchmarks: fakes, clocks, PNG and page makers, real processes."""
