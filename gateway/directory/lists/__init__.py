"""Watched lists: what a search finds first, kept current while it is watched.

names.py spells a search as the name of its topic, watched.py knows which lists a change
touches and draws them again by asking calendars. What is shown of the members, and how
it is sent, is no matter of these.
"""
