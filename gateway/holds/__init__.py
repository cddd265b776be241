"""Holds: a slot reserved for a short while."""
