"""Clinics: records of their own, which providers name.

routes.py declares the operations, service.py finds, shows and replaces the records,
schemas.py has the bodies. standing_routes.py and standing.py retire and reactivate.
"""
