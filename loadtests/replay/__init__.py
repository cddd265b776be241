"""Replaying a booking trace against a running server."""
