"""The operations of membership, by subject."""
