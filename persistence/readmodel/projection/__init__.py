"""Journal to SQL: rows and offset in one transaction.

Begin with projector.py; operations_of.py says what an event changes, sql.py writes it.
"""
