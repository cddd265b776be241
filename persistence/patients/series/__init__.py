"""Series of visits, in the records.

store.py implements ``care.series.ports``; models.py has the tables: a row for a series,
and one for each of its dates, booked or not.
"""
