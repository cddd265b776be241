"""Bookings: visits, from booking to completion."""
