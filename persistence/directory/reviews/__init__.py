"""Reviews of visits, in the records.

models.py has their table, store.py what is asked of it.
"""
