"""Topics and their watchers: which frame goes to which watcher, and when; pure.

Begin with hub.py; topic.py is one topic, delivery.py and coalescing.py decide what
each watcher is sent.
"""
