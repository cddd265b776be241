"""Second factors and passkeys: values and rules; pure.

values.py has what a factor is, totp.py codes of authenticator apps, recovery.py codes
on paper, phones.py which numbers codes are sent to, ports.py what a store must do.
"""
