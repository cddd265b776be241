"""Prometheus metrics of a gateway.

metrics.py has the counters of requests and commands and the status of shards,
projection_lag.py the read model's lag, jobs.py the background jobs. The live side's are
in gateway/live/metrics.py.
"""
