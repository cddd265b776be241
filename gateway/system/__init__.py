"""Health, readiness, metrics and documents.

routes.py has the paths, health.py the checks, probes.py the access to them,
reference.py the interactive reference, web.py the files of the web app.
"""
