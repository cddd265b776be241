"""The journal: what happened, durable before it is acknowledged.

files/ is the write-ahead log of one machine, redis/ the streams of a cluster, memory.py
the twin for tests.
"""
