"""Patients: their profiles, their history, and a clinic's list of them."""
