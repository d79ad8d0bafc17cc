"""The services there are, by their names."""

SERVICES = ("membership", "validation", "batching", "revocation", "notification")
