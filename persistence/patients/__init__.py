"""Patients over the records. Implements ``care.patients.ports``."""
