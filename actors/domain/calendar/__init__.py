"""One provider's calendar: decisions, state and the views of it.

Begin with calendar.py (``decide`` and its table), then holds.py and bookings.py (the
decisions) with rulings.py (what they share), state.py (``apply``), occupancy.py (cells
as bits) and views.py (free slots, schedules, week pages).
"""
