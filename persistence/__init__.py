"""Everything that touches disks, SQL and Redis.

journal/ and snapshots/ are the truth, readmodel/ follows it, shared/ is what gateways
share; sql/, redis/ and files/ are the ground they stand on.
"""
