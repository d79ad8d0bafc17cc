"""The broker: connections, publishers, readers, names and arguments of queues."""
