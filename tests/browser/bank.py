"""Orders to the simulated bank."""

from typing import Any

import requests

from deploy.local.client import wait_until
from deploy.local.stack import Stack


def answer_batch(stack: Stack, batch_no: str, order: dict[str, Any]) -> None:
    """Makes the bank decide on a batch, as soon as it has received it: `{"outcome": "issued", "count": 3}`."""
    feedback = f"{stack.simulator_urls['bank']}/batches/{batch_no}/feedback"
    wait_until(lambda: requests.post(feedback, json=order, timeout=10).ok, "the bank knows the batch")
