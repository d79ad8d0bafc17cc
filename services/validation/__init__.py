"""Validation: checks who a member is and whether they are retired before a card is applied for."""
