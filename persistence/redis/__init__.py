"""Redis: connections, commands, key names, functions, pub/sub.

Begin with wire.py (one connection), then client.py (durable writes) and link.py (calls
with a circuit breaker, for the request path). server.py inspects settings, functions.py
loads the Lua code.
"""
