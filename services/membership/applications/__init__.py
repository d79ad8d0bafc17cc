"""Applications of members: queueing, their states, personal applications on the phone."""
