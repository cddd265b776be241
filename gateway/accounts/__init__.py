"""Accounts over HTTP: registration, signing in, sessions, passwords.

service.py signs people in and out, registration.py makes accounts and resets
passwords, routes.py and session_routes.py are the paths below ``/v1/auth``, hashing.py
the bounded pool for passwords, cookies.py and cross_origin.py what browsers need.
"""
