"""Bookings as people make them: plans, regions, histories, watchers."""
