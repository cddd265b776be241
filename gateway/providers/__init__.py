"""Providers: profiles, opening rules, slots, leave and schedules."""
