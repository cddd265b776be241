"""``make blink``: many watchers see one booking.

__main__.py runs it, room.py holds the watchers, view.py shows them in a terminal.
"""
