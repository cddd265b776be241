"""Data keys in SQL, wrapped; unwrapped ones are kept in memory.

ring.py seals and opens with a tenant's keys, which it makes on first use.
"""
