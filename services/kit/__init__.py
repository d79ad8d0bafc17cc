"""The chassis that every service stands on. It knows nothing of unions, members or cards: `make check` holds it to that.

`amqp` connections and queues of the broker; `events` outbox, relay, inbox, subscriptions; `rpc` queries and commands;
`dead_letters` what could not be handled; `data` database, encryption, migrations; `operations` health, metrics, logs.
"""
