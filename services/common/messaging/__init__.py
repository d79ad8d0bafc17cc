"""Messages that are neither lost nor handled twice: outbox and relay, subscriptions, RPC, dead letters."""

import warnings

# Eventlet says at each import that it is only maintained; Nameko 2 needs it, and nobody who reads a log can act on it.
warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
