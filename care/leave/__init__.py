"""Leave ends with every patient resolved: values, rules and ports; pure but for asking.

visits.py has a row of the queue and what becomes of it, carrying.py moves a visit to
the time that was chosen, opening.py makes the rows and settles those that time, or a
person elsewhere, has settled. Ports are in ports.py.
"""
