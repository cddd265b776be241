"""The vocabulary of the live socket: topic names, messages, frames; pure.

topic_names.py names what can be watched, messages.py has the types of both directions,
frames.py encodes the server's messages, each once for all receivers.
"""
