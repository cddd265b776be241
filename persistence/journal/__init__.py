"""The journal: events, durable before they are acknowledged.

files/ is the write-ahead log of one machine, redis/ the streams of a cluster, memory.py
the in-memory adapter for tests.
"""
