"""The queue of visits that leaves affect, in the records.

models.py has its tables, store.py what is asked of them.
"""
