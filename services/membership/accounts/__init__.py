"""Accounts of unions, and what administrators do with them."""
