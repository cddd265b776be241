"""The edge: HTTP and WebSocket in, domain words out."""
