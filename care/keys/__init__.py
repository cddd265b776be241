"""Sealing of personal data: keys, ciphertexts, blind indexes; pure.

A key encryption key (KEK) from outside the database wraps a data key per tenant and
purpose; a person's key is derived from their tenant's and a salt in their row.
Destroying the salt makes all that was sealed for that person unreadable, in backups
too. ``persistence/keys`` keeps the wrapped keys.
"""
