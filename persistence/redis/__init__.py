"""Redis: the client that knows what was sent, key names, functions, pub/sub."""
