"""The Prometheus metrics of messages, requests and the outbox."""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

messages_handled = Counter("messages_handled", "Messages whose effects were committed.", ["queue"])
messages_redelivered = Counter("messages_redelivered", "Messages that the broker delivered again.", ["queue"])
messages_failed = Counter("messages_failed", "Attempts to handle a message that failed.", ["queue", "cause"])
messages_retried = Counter("messages_retried", "Messages put into a retry queue.", ["queue"])
messages_dead = Counter("messages_dead_lettered", "Messages laid among the dead letters or rejected.", ["queue"])
messages_refused = Counter("messages_refused", "Events that another than their producer published.", ["queue"])
rpc_refused = Counter("rpc_refused", "Requests that are not the gateway's, or not signed by it.", ["service"])
handler_seconds = Histogram("handler_seconds", "One attempt to handle a message or a set.", ["queue"], buckets=_SECONDS)
rpc_seconds = Histogram("rpc_seconds", "Requests answered by this service.", ["name", "outcome"], buckets=_SECONDS)
rpc_call_seconds = Histogram("rpc_call_seconds", "Requests asked of others.", ["name", "outcome"], buckets=_SECONDS)
rpc_expired = Counter("rpc_expired", "Requests dropped because their deadline had passed.", ["service"])
outbox_published = Counter("outbox_published", "Messages of the outbox that the broker confirmed.")
outbox_refused = Counter("outbox_refused", "Messages of the outbox that the broker returned or refused.")
outbox_size = Gauge("outbox_size", "Messages that wait in the outbox.")
outbox_age_seconds = Gauge("outbox_age_seconds", "Age of the oldest message in the outbox.")
