"""The journal as Redis streams, one per shard, fenced by functions in Lua."""
