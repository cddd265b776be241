"""Web Push: subscriptions of browsers, sealing (RFC 8291), VAPID (RFC 8292), delivery.

network.py reaches public addresses alone: endpoints are named by browsers.
"""
