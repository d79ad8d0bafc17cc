"""The queues by which membership and the mutual-aid society exchange messages."""

import amqp

from services.contracts.external import insurer
from services.kit.amqp.queues import bind, declare_exchange, declare_quorum_queue, declare_working_queue, rejected_queue
from services.kit.system import ExternalQueues

_RECEIPTS_BYTES = 256 << 20
"""Largest size of waiting receipts; beyond it the oldest are dropped, so that a society that reads none cannot fill the
broker. A society that misses a receipt sends the report again."""


def declare_insurer(channel: amqp.Channel) -> None:
    """Declares the exchange and queues for eligible members and receipts, and an exchange for the society alone that
    leads to membership's queue of enrolments.
    """
    declare_exchange(channel, insurer.EXCHANGE)
    declare_quorum_queue(channel, insurer.MEMBERS_QUEUE, {})
    bind(channel, insurer.MEMBERS_QUEUE, insurer.EXCHANGE, insurer.ELIGIBLE)
    declare_quorum_queue(
        channel, insurer.RECEIPTS_QUEUE, {"x-max-length-bytes": _RECEIPTS_BYTES, "x-overflow": "drop-head"}
    )
    bind(channel, insurer.RECEIPTS_QUEUE, insurer.EXCHANGE, insurer.RECEIPT)
    declare_exchange(channel, insurer.ENROLMENTS_EXCHANGE)
    declare_working_queue(channel, insurer.ENROLMENTS_QUEUE, rejected_queue(insurer.ENROLMENTS_QUEUE))
    bind(channel, insurer.ENROLMENTS_QUEUE, insurer.ENROLMENTS_EXCHANGE, insurer.ENROLMENTS_QUEUE)


INSURER_QUEUES = ExternalQueues(
    prefix="insurer",
    owner="membership",
    queues=(insurer.MEMBERS_QUEUE, insurer.RECEIPTS_QUEUE, insurer.ENROLMENTS_QUEUE, insurer.REJECTED_QUEUE),
    needed=(insurer.MEMBERS_QUEUE, insurer.ENROLMENTS_QUEUE, insurer.REJECTED_QUEUE),
    consumed=(insurer.ENROLMENTS_QUEUE,),
    rejected=insurer.REJECTED_QUEUE,
    exchanges=(insurer.EXCHANGE, insurer.ENROLMENTS_EXCHANGE),
    declare=declare_insurer,
)
