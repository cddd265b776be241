"""What gateways read: directory, bookings, progress of the projection.

directory.py searches providers and clinics, bookings.py reads visits and their history,
progress.py waits for the projection, readback.py reads everything for audits.
"""
