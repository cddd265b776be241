"""API clients over HTTP: client credentials, and their administration by clinics.

service.py makes clients and their tokens, client_routes.py are the paths below
``/v1/clinics/{clinic_id}/api-clients``, token_route.py is ``/v1/oauth/token``.
"""
