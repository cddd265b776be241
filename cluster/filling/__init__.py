"""Filling a site: the demo region and imports of practices."""
