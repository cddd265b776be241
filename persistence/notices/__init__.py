"""The outbox: what the projection says is to be sent."""
