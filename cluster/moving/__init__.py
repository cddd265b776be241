"""Changing where calendars are: resharding, isolating one, moving some."""
