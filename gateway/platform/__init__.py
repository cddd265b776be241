"""The platform's administration: roles, accounts, platform roles."""
