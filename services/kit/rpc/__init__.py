"""Queries and commands between the gateway and the services."""
