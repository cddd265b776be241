"""Accounts in SQL: models, and the store behind ``care.people.ports``."""
