"""One change per revision; see persistence/sql/migration_steps.py."""
