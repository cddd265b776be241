"""Health, readiness, metrics and documents."""
