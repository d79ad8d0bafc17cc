"""Erased members: nothing of their person is left with any service, and nobody else's is gone."""

from collections.abc import Iterator

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Violation, paired

_IN_MEMBERSHIP = """
    select application.application_id, member_id, true as erased from application join member using (member_id)
    where erased_at is not null order by application.application_id
"""
_IN_BATCHING = "select application_id, name = '（已删除）' as erased from application order by application_id"
_NUMBERS = """
    select member_id from member
    where erased_at is not null and (card_no is not null or phone is not null or address is not null)
"""
_LEFT = {
    "validation": ("application_id", "select distinct application_id as key from check_finding"),
    "notification": (
        "member_id",
        "select member_id as key from member_message union select member_id from member_notice where phone is not null",
    ),
}
"""By service: what its rows are found by, and those of whom it still keeps something."""


def erasures_agree(snapshots: Snapshots) -> Iterator[Violation]:
    """Batching has erased the applications of members whom membership has erased, and no others; validation has no
    finding of theirs, notification no message.
    """
    erased = list(snapshots.rows("membership", _IN_MEMBERSHIP))
    for key, in_membership, in_batching in paired(iter(erased), snapshots.rows("batching", _IN_BATCHING)):
        if in_batching is not None and in_batching["erased"] is not (in_membership is not None):
            knows, lacks = ("batching", "membership") if in_batching["erased"] else ("membership", "batching")
            sides = {"membership": in_membership, "batching": in_batching}
            yield Violation("erasures_agree", str(key), f"erased in {knows}, not in {lacks}", sides)
    for service, (found_by, query) in _LEFT.items():
        by_key = {row[found_by]: row for row in erased}
        for row in snapshots.rows(service, query) if by_key else ():
            if (known := by_key.get(row["key"])) is not None:
                sides = {"membership": known, service: row}
                detail = f"erased in membership, not in {service}"
                yield Violation("erasures_agree", str(known["application_id"]), detail, sides)


def erased_members_have_no_numbers(snapshots: Snapshots) -> Iterator[Violation]:
    """Nothing that came late has given an erased member a number again."""
    for row in snapshots.rows("membership", _NUMBERS):
        yield Violation("nothing_of_erased", str(row["member_id"]), "a number or address is kept of an erased member")
