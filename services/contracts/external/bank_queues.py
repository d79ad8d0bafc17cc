"""The queues by which batching and the bank exchange messages."""

import amqp

from services.contracts.external import bank
from services.kit.amqp.queues import bind, declare_exchange, declare_quorum_queue, declare_working_queue, rejected_queue
from services.kit.system import ExternalQueues

_RECEIPTS_BYTES = 256 << 20
"""Largest size of waiting receipts; beyond it the oldest are dropped, so that a bank that reads none cannot fill the
broker. A bank that misses a receipt sends the feedback again."""


def declare_bank(channel: amqp.Channel) -> None:
    """Declares the exchange and queues for `bank.batches` and `bank.receipts`, and an exchange for the bank alone that
    leads to batching's queue of feedback.
    """
    declare_exchange(channel, bank.EXCHANGE)
    declare_quorum_queue(channel, bank.BATCHES_QUEUE, {})
    bind(channel, bank.BATCHES_QUEUE, bank.EXCHANGE, bank.BATCH_MESSAGES)
    declare_quorum_queue(
        channel, bank.RECEIPTS_QUEUE, {"x-max-length-bytes": _RECEIPTS_BYTES, "x-overflow": "drop-head"}
    )
    bind(channel, bank.RECEIPTS_QUEUE, bank.EXCHANGE, bank.RECEIPT)
    declare_exchange(channel, bank.FEEDBACK_EXCHANGE)
    declare_working_queue(channel, bank.FEEDBACK_QUEUE, rejected_queue(bank.FEEDBACK_QUEUE))
    bind(channel, bank.FEEDBACK_QUEUE, bank.FEEDBACK_EXCHANGE, bank.FEEDBACK_QUEUE)


BANK_QUEUES = ExternalQueues(
    prefix="bank",
    owner="batching",
    queues=(bank.BATCHES_QUEUE, bank.RECEIPTS_QUEUE, bank.FEEDBACK_QUEUE, bank.REJECTED_QUEUE),
    needed=(bank.BATCHES_QUEUE, bank.FEEDBACK_QUEUE, bank.REJECTED_QUEUE),
    consumed=(bank.FEEDBACK_QUEUE,),
    rejected=bank.REJECTED_QUEUE,
    exchanges=(bank.EXCHANGE, bank.FEEDBACK_EXCHANGE),
    declare=declare_bank,
)
