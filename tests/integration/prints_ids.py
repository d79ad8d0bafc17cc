"""A program that prints ids as services make them, then its parent's process id, and waits as services do."""

import os
import time

from services.kit.concurrency import serve_http
from services.kit.events.envelope import new_message_id

if __name__ == "__main__":
    serve_http(("127.0.0.1", 0), lambda _environ, _start: [])
    time.sleep(0.01)
    print(new_message_id(), new_message_id(), os.getppid(), flush=True)
    time.sleep(3600)
