"""The Python package for users of Slotcast: the live client.

``from slotcast.client import LiveSession`` and its async wrapper; docs/client.md shows
how. It imports nothing of the server.
"""
