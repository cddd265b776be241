"""The rooms and equipment of a clinic.

routes.py declares the routes, service.py carries them out. Hours, time off, the day's
visits and retiring are those of any calendar: the routes of providers serve them.
"""
