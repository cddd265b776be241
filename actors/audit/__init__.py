"""Checks of a whole history: was any cell given to two bookings at a time?

Begin with audit.py; tenures.py follows one cell through time.
"""
