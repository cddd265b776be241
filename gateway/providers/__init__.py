"""Providers: who can be visited, when, and what they offer."""
