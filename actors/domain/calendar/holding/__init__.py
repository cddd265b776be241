"""What keeps a slot before it is booked: holds, reserves, and groups of holds.

holds.py decides about a patient's holds, waiting.py about the waiting list's, and
groups.py about those of several calendars that are booked as one. renewals.py and
grouped.py are state: who held a time before, and what was decided about groups.
"""
