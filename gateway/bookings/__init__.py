"""Bookings: visits, from booking to completion.

routes.py declares the operations, service.py carries them out for REST and the live
socket, listing.py merges a patient's recent bookings with the read model.
"""
