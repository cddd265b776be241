"""Accounts in SQL: models, and the stores behind ``care.accounts.ports``.

Begin with models.py. store.py has accounts, credentials.py passwords, sessions.py
sessions, flows.py mailed links, contexts.py the roles of an account; rows.py converts
rows to values.
"""
