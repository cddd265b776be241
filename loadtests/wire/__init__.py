"""Lean clients: HTTP, WebSocket frames, live topics.

Used instead of libraries so that the load generator is not what is measured.
http_client.py and socket_client.py are the transports, live_client.py follows topics.
"""
