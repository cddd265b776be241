"""Everything that touches disks, SQL and Redis.

journal/ and snapshots/ are the source of truth, readmodel/ follows them, records/ and
the features beside it are what no journal can restore, shared/ is state shared by
gateways; sql/, redis/ and files/ are the drivers below.
"""
