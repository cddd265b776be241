"""The read model: SQL tables that follow the journal and can be rebuilt from it.

tables.py has the tables; projection/ writes them, queries/ reads them, rebuilding/
rebuilds them, memory/ is the in-memory adapter for tests.
"""
