"""The read model without SQL, for tests."""
