"""A crowd of watchers on few processes.

__main__.py is the command, processes.py splits the crowd, listener.py counts what its
watchers receive, wire.py parses frames without a library.
"""
