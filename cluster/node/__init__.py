"""One node of a cluster: its processes, how they begin, are watched, and end."""
