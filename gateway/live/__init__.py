"""Live topics: what changes in a calendar reaches everybody who watches it."""
