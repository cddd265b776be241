"""What shards publish, as the live side receives it.

feed.py follows one shard, reader.py reads first pages, warm_start.py paints them from
what other gateways keep.
"""
