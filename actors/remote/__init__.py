"""Shards in other processes: placed by Ray, asked over connections of our own.

actor.py is the Ray actor, links.py finds and calls shards, line.py is the RPC
connection, lines.py its pool and its server, labels.py what a node says of itself.
"""
