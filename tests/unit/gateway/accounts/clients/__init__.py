"""API clients of clinics."""
