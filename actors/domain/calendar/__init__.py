"""One provider's calendar: decisions, state and the views of it.

Begin with calendar.py (``decide`` and its table), then holding/ and bookings.py (the
decisions) with rulings.py (what they share), effects.py (``apply``), state.py,
occupancy.py (cells as bits) and views.py (free slots, schedules, week pages).
"""
