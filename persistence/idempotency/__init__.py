"""Idempotency keys in SQL.

models.py has their table; store.py implements ``care.idempotency.ports``: the primary
key decides which request holds a key.
"""
