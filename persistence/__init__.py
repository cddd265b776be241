"""All that touches disks and databases: the journal, snapshots, the read model."""
