"""The queries and commands of membership, by room."""
