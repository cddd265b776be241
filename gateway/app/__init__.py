"""Puts the gateway together: the only place that knows all its parts.

application.py does it. routers.py lists the ordinary features and the stores that each
needs, feature_services.py makes their services, operations.py lists the hot paths.
"""
