"""Idempotency keys in SQL: models.py is their table, store.py implements the port."""
