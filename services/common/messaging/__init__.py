"""Messages that are neither lost nor handled twice: outbox and relay, subscriptions, RPC, dead letters."""
