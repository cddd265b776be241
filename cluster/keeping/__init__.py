"""Keeping a site's shards on its nodes: where each should be, and bringing it there."""
