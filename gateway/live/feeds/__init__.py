"""Receives the changes that shards publish.

feed.py follows one shard, reader.py reads first pages, warm_start.py takes them from
pages stored by other gateways.
"""
