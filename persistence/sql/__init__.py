"""SQL for all of persistence: engines, drivers, column types, migrations, dumps.

engine.py alone knows dialects and drivers.
"""
