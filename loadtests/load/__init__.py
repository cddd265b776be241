"""Load tests from outside: prepare, start, judge and report; Locust is a subprocess.

Begin with __main__.py and scenarios.py; budgets.py has the limits, checks.py and
outcome.py judge, page.py and plots.py report.
"""
