"""The way from a request to the calendars.

commands.py stamps commands, courier.py sends them in batches over request_queue.py
and resumes commands without tasks (continuations.py);
hot_pages.py and recent.py answer from recently seen pages and bookings.
"""
