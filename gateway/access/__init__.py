"""Authentication and authorization: tokens, rights, revocations, rate budgets.

tokens.py turns a token into a caller, table.py says which role has which right, and
rights.py applies it to providers, bookings and accounts. revocations.py and
rate_budgets.py are shared between gateways in the background.
"""
