"""Second factors and passkeys over HTTP.

awaiting.py is what a sign-in waits for, checking.py finishes it with a factor,
enrolment.py adds and removes factors, passkeys.py speaks WebAuthn. flow_routes.py are
the paths below ``/v1/auth/flows`` and of signing in by passkey, factor_routes.py those
below ``/v1/auth/factors``.
"""
