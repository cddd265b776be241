"""Signing in by other providers."""
