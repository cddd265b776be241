"""Patients: who they are, how they are reached, which clinics know them; pure.

profiles.py has what is known of a person and what it is found by, phones.py how phone
numbers are written, notes.py their history, ports.py what a store must do. The store is
``persistence/patients``, the routes are ``gateway/patients``.
"""
