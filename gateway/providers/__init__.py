"""Providers: profiles, opening rules, slots, leave and schedules.

routes.py is public, staff_routes.py is for staff; service.py carries out both.
opening_rules.py converts rules from and to JSON, rule_checks.py checks them in a
thread, search.py finds providers.
"""
