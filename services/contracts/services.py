"""The names of all services."""

SERVICES = ("membership", "validation", "batching", "revocation", "notification")
