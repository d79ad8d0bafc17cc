"""Revocation: requests to revoke a batch, and the superior union's decisions."""
