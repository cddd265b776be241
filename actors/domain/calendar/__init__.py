"""One provider's calendar: decisions, state and the views of it.

Begin with calendar.py (``decide``), then state.py (``apply``), occupancy.py (cells as
bits) and views.py (free slots, schedules, week pages).
"""
