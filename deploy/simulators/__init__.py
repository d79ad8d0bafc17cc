"""Stand-ins for the systems outside: the retirement registry, the bank, the SMS gateway."""
