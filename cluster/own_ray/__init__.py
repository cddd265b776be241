"""Ray as this site runs it: environment, local instance, raylets of nodes."""
