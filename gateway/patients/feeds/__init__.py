"""Feeds of visits for calendar programs.

routes.py makes, lists and revokes them, and answers their addresses. Rules and ports
are in ``care/feeds``.
"""
