"""Rooms and equipment that visits take.

settling.py carries out at their calendars what the calendar of a visit's provider has
decided: in a gateway beside its answer, and in the worker.
"""
