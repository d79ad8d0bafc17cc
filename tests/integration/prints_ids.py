"""A program that prints ids as services make them, then its parent's process id, and waits to be ended."""

import os
import signal

from services.kit.events.envelope import new_message_id

if __name__ == "__main__":
    print(new_message_id(), new_message_id(), os.getppid(), flush=True)
    signal.pause()
