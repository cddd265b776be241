"""What gateways share: rate budgets, revocations, hot pages, wake-ups, leases."""
