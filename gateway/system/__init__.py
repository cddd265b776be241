"""Health, readiness, metrics and documents: what operators and tools ask."""
