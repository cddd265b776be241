"""Background jobs for operators: how many there are, dead letters, resending."""
