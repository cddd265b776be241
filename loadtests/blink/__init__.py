"""``make blink``: many watchers see one booking."""
