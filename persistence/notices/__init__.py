"""Messages that go out: their table, and the adapters that deliver them.

outbox.py queues a message in the transaction of what it is about and gives it to the
job that delivers it; smtp.py and folder.py deliver.
"""
