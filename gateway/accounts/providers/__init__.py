"""Signing in by other providers, by OpenID Connect.

issuers.py speaks to a provider, id_tokens.py checks what it vouches for, returning.py
is what a sign-in remembers until the browser comes back, vouching.py makes of it a
session, a new account or a link. provider_routes.py are the paths below
``/v1/auth/oidc``, identity_routes.py those below ``/v1/auth/identities``.
"""
