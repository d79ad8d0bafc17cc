"""Messages with outside parties: the bank and the mutual-aid society, their queues, keys and protection."""
