"""HTTP and the live socket: requests in, commands to calendars, answers and frames out.

Begin with app/, which puts it together. bookings/, holds/, providers/ and system/ are
features; http/ and access/ stand before them, calendars/ behind them; live/ is the
socket.
"""
