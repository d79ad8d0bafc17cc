"""Dead letters, the messages that could not be handled: find, show, replay, discard."""
