"""Making the read model again from journal and snapshots."""
