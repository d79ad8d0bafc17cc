"""Erased members: nothing of their person is left with batching, and nobody else's is gone."""

from collections.abc import Iterator

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Violation, paired

_IN_MEMBERSHIP = """
    select application.application_id, true as erased from application join member using (member_id)
    where erased_at is not null order by application.application_id
"""
_IN_BATCHING = "select application_id, name = '（已删除）' as erased from application order by application_id"


def erasures_agree(snapshots: Snapshots) -> Iterator[Violation]:
    """Batching has erased the applications of members whom membership has erased, and no others."""
    ours, theirs = (
        snapshots.rows("membership", _IN_MEMBERSHIP),
        snapshots.rows("batching", _IN_BATCHING),
    )
    for key, in_membership, in_batching in paired(ours, theirs):
        if in_batching is not None and in_batching["erased"] is not (in_membership is not None):
            knows, lacks = ("batching", "membership") if in_batching["erased"] else ("membership", "batching")
            sides = {"membership": in_membership, "batching": in_batching}
            yield Violation("erasures_agree", str(key), f"erased in {knows}, not in {lacks}", sides)
