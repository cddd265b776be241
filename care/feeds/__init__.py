"""Calendars of other programs: what they are given, and what they say; pure.

ics.py writes events (RFC 5545), for feeds and for invitations by mail; ports.py is what
the feeds of people need from a store.
"""
