"""SQL for everybody here: engines, drivers, column types, migrations, dumps.

engine.py alone knows dialects and drivers.
"""
