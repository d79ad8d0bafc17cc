"""Events that are neither lost nor handled twice: outbox, relay, inbox, subscriptions, retries."""
