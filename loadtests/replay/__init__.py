"""Replaying a booking trace against a running server.

trace.py reads the trace, replay.py sends it, checks.py compares the outcome, report.py
writes it down.
"""
