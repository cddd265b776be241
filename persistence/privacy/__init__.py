"""Privacy in SQL: the keys of people, requests, consents, export, erasure, retention.

persons.py keeps the keys of people in memory, so that sealing and opening waits for
nothing.
"""
