"""Background jobs for operators: counts, dead letters, resending.

An ordinary feature: routes.py is a ``FeatureRouter`` over ``care.jobs``. The metrics of
jobs are in gateway/metrics/jobs.py.
"""
