"""Benchmarks of whole servers, with plain servers to compare with."""
