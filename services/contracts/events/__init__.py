"""The events of each service, with their data and consumers."""
