"""Simulated patients' bookings: plans, regions, histories, watchers.

Begin with workload.py and plan.py; providers.py and region.py make the site's content,
history.py records what was asked and answered, watchers.py watches topics.
"""
