"""Topics and their watchers: who gets which frame, and when; pure.

Begin with hub.py; topic.py is one topic, delivery.py and coalescing.py decide what
each watcher is sent.
"""
