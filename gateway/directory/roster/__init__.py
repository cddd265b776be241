"""The search for care: all providers in memory, and when each is free.

roster.py has the providers by number with their words (words.py) and services
(services.py); matching.py answers a question about them, ordering.py sorts. None of
these waits or reads a clock. following.py keeps a roster current, soonest.py asks
calendars.
"""
