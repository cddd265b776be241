"""The waiting list over REST.

routes.py is what patients do: wait, pause, leave, and answer offers; staff_routes.py
what staff see and change. service.py has the steps of both; rules and ports are in
``care/waiting``.
"""
