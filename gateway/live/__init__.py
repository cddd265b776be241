"""The live side: changes of calendars reach every watcher of their topics.

Begin with service.py. transport/ moves bytes, sessions/ holds conversations, topics/
decides who is sent what, feeds/ brings what shards publish, core/ names it all.
"""
