"""Authentication and authorization: tokens, rights, revocations, rate budgets."""
