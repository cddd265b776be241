"""Background jobs for operators: counts, dead letters, resending."""
