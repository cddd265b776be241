"""Messages to people: values and ports; pure.

messages.py has what is sent and what delivers it. Messages are queued in the
transaction of what they are about and delivered by a background job.
"""
