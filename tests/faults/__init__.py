"""Real faults on real processes, each ending in the same check."""
