"""HTTP for the hot paths: operations, their router, limits, log and document.

endpoint.py runs one operation; router.py finds it; openapi.py describes all.
"""
