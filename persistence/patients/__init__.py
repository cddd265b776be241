"""Patients in the records.

models.py has the tables, store.py implements ``care.patients.ports.Patients``: profiles
are sealed with the person's key and found by blind indexes.
"""
