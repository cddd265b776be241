"""The waiting list: who waits for which times, and who is offered a slot next.

entries.py has the values, ranking.py the order and what fits, ports.py the store.
A slot that becomes free is reserved by its calendar (decision 0084); the worker
(``cluster/work/waiting``) offers it to one patient after another.
"""
