"""Shards in other processes: placed by Ray, called over own RPC connections.

actor.py is the Ray actor, links.py finds and calls shards, line.py is the RPC
connection, lines.py its pool and its server, labels.py the labels of a Ray node.
"""
