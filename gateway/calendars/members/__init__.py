"""Visits that take a room or equipment besides their provider.

candidates.py knows which there are, choosing.py which of them fit, slots.py shows when
enough of them are free, booking.py takes them together with the visit.
"""
