"""Strangers: load, replay and benchmarks that know the wire, not the code."""
