"""Leave ends with every patient resolved, over REST.

equivalents.py finds the times that are proposed, service.py shows and settles rows of
the queue, staff_routes.py is for staff, choose_routes.py for patients: signed in, or
with the link of a message.
"""
