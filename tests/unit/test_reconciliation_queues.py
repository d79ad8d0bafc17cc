"""Which queues must be empty before a restored service is reconciled: those that services of ours empty."""

import pytest

from deploy.repair.reconciliation import is_work_of_others


@pytest.mark.parametrize(
    ("queue", "must_be_empty"),
    [
        ("membership.cards_issued", True),
        ("membership.requests", True),
        ("batching.members_queued", False),
        ("membership.cards_issued.dead", False),
        ("bank.batches", False),
        ("bank.feedback.rejected", False),
        ("insurer.members", False),
        ("insurer.receipts", False),
        ("insurer.enrolments.rejected", False),
    ],
)
def test_what_outside_parties_read_or_sent_wrongly_holds_no_reconciliation_up(queue: str, must_be_empty: bool) -> None:
    assert is_work_of_others(queue, "batching") is must_be_empty
