"""Bookings as people make them: plans, regions, histories, watchers.

Begin with workload.py and plan.py; providers.py and region.py make the site's content,
history.py past visits, watchers.py the topics that are watched.
"""
