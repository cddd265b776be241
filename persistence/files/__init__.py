"""Files that survive a crash: synced writes, and the thread that makes them."""
