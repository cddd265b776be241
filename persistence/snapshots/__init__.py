"""Calendars at rest: in files, in Redis, in memory."""
