"""Ray as this site runs it: settings, a local instance, the raylets of nodes.

environment.py and spare.py set what Ray must not choose by itself; local.py starts a
server's private Ray, parts.py watches its processes, raylet.py joins and watches a
node's.
"""
