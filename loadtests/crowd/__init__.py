"""A crowd of watchers on few processes."""
