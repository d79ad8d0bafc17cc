"""A service for the messaging tests that records the messages that reach it."""
