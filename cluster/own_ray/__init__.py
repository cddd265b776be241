"""own_ray."""
