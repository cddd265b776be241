"""What keeps a slot before it is booked: holds, and the waiting list's reserves.

holds.py decides about a patient's holds and waiting.py about the waiting list's;
renewals.py remembers who held a time before.
"""
