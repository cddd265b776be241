"""Lean clients: HTTP, WebSocket frames, live topics."""
