"""Accounts of unions, and their administration."""
