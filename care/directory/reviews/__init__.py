"""Reviews: what patients say of visits that took place, and what clinics answer.

``reviews.py`` has the values, ``ports.py`` what is stored. See decision 0114.
"""
