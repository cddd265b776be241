"""Hostile clients against a real gateway's server, with a polite client beside them.

``python -m tests.attacks`` prints a table; the tests run the same attacks, small.
"""
