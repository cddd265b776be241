"""Patients over the records.

store.py implements ``care.patients.ports``, notes.py ``care.patients.notes``; models.py
has the tables. Profiles and notes are sealed with the key of their person.
"""
