"""The framework of every service. It knows nothing of unions, members or cards; `make check` verifies that.

`amqp` connections and queues of the broker; `events` outbox, relay, inbox, subscriptions; `rpc` queries and commands;
`dead_letters` messages that could not be handled; `data` database, encryption, migrations, lists;
`documents` sheets and fonts; `operations` health, metrics, logs.
"""

import warnings

# Eventlet warns at each import that it is deprecated. Nameko 2 needs it, and no reader of a log can act on that.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
