"""Holds: a slot reserved for a short time.

routes.py declares the operations, service.py carries them out for REST and the live
socket, schemas.py has the bodies.
"""
