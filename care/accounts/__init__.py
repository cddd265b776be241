"""Accounts, sessions and passwords: values, rules and ports; pure.

accounts.py has the values, refreshing.py the rule of refresh tokens, passwords.py what
a password must be, throttling.py how fast they may be tried, addresses.py what an
e-mail address is compared by, ports.py what a store must do. The store is
``persistence/accounts``, the routes are ``gateway/accounts``.
"""
