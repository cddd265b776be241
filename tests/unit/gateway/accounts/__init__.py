"""Signing in beyond the password."""
