"""Clinics: records of their own, which providers name."""
