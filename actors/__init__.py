"""Calendars decide bookings; shards host calendars.

Begin with domain/ (one calendar, pure), then shard/ (many calendars, one writer),
hosting/ (mailboxes and processes) and remote/ (Ray and the connections to it).
ports.py is what a shard needs from outside.
"""
