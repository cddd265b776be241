"""Addresses of doctors' own calendars, over the records, and how they are fetched.

models.py has the table, store.py keeps it for gateway and worker, and fetching.py gets
a calendar's text from another server, within bounds.
"""
