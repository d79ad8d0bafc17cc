"""The events of each service: what happened, and who is told."""
