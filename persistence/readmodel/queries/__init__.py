"""What gateways read: directory, bookings, progress of the projection."""
