"""Messages that could not be handled: found, shown, replayed, discarded."""
