"""The jobs of the waiting list.

reserving.py tells calendars what is waited for, offering.py offers what they reserve,
vacating.py cancels the visits that accepted offers take the place of, opening.py tells
all who wait of slots that are too near for offers in turn.
"""
