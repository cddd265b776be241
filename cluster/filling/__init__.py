"""The demo region: made-up clinics, people and bookings, the same on every machine."""
