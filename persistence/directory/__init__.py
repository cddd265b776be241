"""The directory in SQL: entries in the records, and the rows that a search is made of.

models.py has the tables, entries.py and photos.py write them, roster_source.py joins
read model and records into the rows of a search.
"""
