"""Filling a site: the demo region and imports of practices.

sow.py makes the demo region of region.py from places.py, people.py and rotas.py;
patients.py names its patients; practices.py reads the English list of practices. Both
register providers through registering.py. dice.py makes the same choices everywhere.
"""
