"""Core metadata of an artifact, got the cheapest way that works."""
