"""Visits of another system, which are history here.

visits.py has an imported visit, ports.py the store (decision 0112). They show in
histories and in reports, and in no calendar.
"""
