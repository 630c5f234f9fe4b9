"""What tests and benchmarks share: fakes, clocks, makers of PNGs and pages, real processes."""
