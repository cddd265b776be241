"""One connection's conversation: its person, subscriptions, commands and rights.

Begin with conversation.py (the protocol without a socket), then session.py; context.py
has what all conversations share.
"""
