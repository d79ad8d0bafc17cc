"""Transfers conserve members: each is in the union of the last one, in every service, and left nothing behind."""

from collections.abc import Iterator

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Side, Violation, disagreements

_BROKEN = """
    with transfer as (
        select member_id, state, decided_at, coalesce(old.successor_union_id, old.union_id) as from_union_id,
            coalesce(new.successor_union_id, new.union_id) as to_union_id
        from public.transfer join "union" as old on old.union_id = from_union_id
            join "union" as new on new.union_id = to_union_id
    )
    select member.member_id, member.transfers, coalesce(accepted, 0) as accepted,
        member.union_id = last_union_id as is_there, coalesce(is_chain, true) as is_chain
    from member left join (
        select member_id, count(*) as accepted, bool_and(follows) as is_chain,
            (array_agg(to_union_id order by decided_at desc))[1] as last_union_id
        from (
            select *, coalesce(lag(to_union_id) over (partition by member_id order by decided_at) = from_union_id, true)
                as follows
            from transfer where state = 'accepted'
        ) as one group by member_id
    ) as moved using (member_id)
    where member.transfers <> coalesce(accepted, 0) or member.union_id <> last_union_id or not is_chain
"""
_IN_MEMBERSHIP = """
    select member_id, union_id, transfers as version from member where transfers > 0 order by member_id
"""
_IN_BATCHING = "select member_id, union_id, version from moved_member order by member_id"
_LEFT_BEHIND = """
    select application_id, application.union_id, moved_member.union_id as moved_to
    from application join moved_member using (member_id)
    where state = 'queued' and application.union_id <> moved_member.union_id and listed_at <= transferred_at
"""


def transfers_conserve_members(snapshots: Snapshots) -> Iterator[Violation]:
    """A member has moved as often as transfers were accepted, each from the union of the one before, and is there."""
    for row in snapshots.rows("membership", _BROKEN):
        detail = (
            f"moved {row['transfers']} times by {row['accepted']} accepted transfers"
            f"{'' if row['is_chain'] else ', of which one begins elsewhere'}"
            f"{'' if row['is_there'] in (True, None) else ', and is not in the union of the last one'}"
        )
        yield Violation("transfers_conserve", str(row["member_id"]), detail)


def membership_and_batching_agree(snapshots: Snapshots) -> Iterator[Violation]:
    """Membership and batching agree on where members have moved."""
    membership = Side("membership", snapshots.rows("membership", _IN_MEMBERSHIP))
    return disagreements("transfers_agree", membership, Side("batching", snapshots.rows("batching", _IN_BATCHING)))


def nothing_is_left_behind(snapshots: Snapshots) -> Iterator[Violation]:
    """No application waits in the list of a union that its member has left."""
    for row in snapshots.rows("batching", _LEFT_BEHIND):
        detail = f"queued in union {row['union_id']}, its member is in {row['moved_to']}"
        yield Violation("transfer_leaves_nothing", str(row["application_id"]), detail)
