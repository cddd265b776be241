"""One change per revision; see persistence/migrations/steps.py."""
