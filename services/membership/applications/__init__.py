"""Applications of members: queued, followed, made on the phone."""
