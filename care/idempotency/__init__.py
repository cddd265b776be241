"""Idempotency keys of ordinary features: a repeated request gets its first answer.

answers.py has the values and the rules, ports.py what a gateway needs from a store.
Calendars remember the keys of their own commands, in the journal.
"""
