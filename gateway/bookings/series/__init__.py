"""Series of visits over REST: a course of treatment is placed in one go.

routes.py declares the requests, service.py places series, changing.py changes several
visits at once, and reading.py says who may see what of them.
"""
