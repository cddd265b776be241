"""Files that survive a crash: synced writes, and the thread that makes them.

disk.py is the port to the system calls, so that tests can simulate power cuts;
writer_thread.py runs blocking calls in order. ``blobs`` has the stores of blobs,
``pictures`` makes the pictures among them again.
"""
