"""Providers: profiles, opening rules, slots, leave and schedules.

routes.py is public, staff_routes.py is for staff; service.py carries out both.
standing.py and standing_routes.py retire, suspend and reinstate.
opening_rules.py converts rules from and to JSON, rule_checks.py checks them in a
thread, search.py finds providers.
"""
