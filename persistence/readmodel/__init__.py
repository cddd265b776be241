"""The read model: SQL that follows the journal and can be made from it again.

tables.py has the tables; projection/ writes them, queries/ reads them, rebuilding/
makes them again, memory/ is the twin for tests.
"""
