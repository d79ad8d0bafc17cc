"""Requests of members for their data: a copy of all that the services keep, or its erasure after the term."""
