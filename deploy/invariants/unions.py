"""The tree of unions: every place follows from the superior's, all services agree, and an ended union has nothing."""

from collections.abc import Iterator

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Violation, paired

_OUT_OF_PLACE = """
    select one.union_id from "union" as one left join "union" as superior on superior.union_id = one.superior_union_id
    where one.superior_ids <> case when one.superior_union_id is null then '{}'
        else superior.superior_ids || superior.union_id end
"""
_NOT_EMPTY = """
    select union_id, members, accounts from "union"
        left join (select union_id, count(*) as members from member where left_at is null group by 1) as of_members
            using (union_id)
        left join (select union_id, count(*) as accounts from account where not disabled group by 1) as of_accounts
            using (union_id)
    where ended_at is not null and (members > 0 or accounts > 0)
"""
_PLACES = """
    select union_id, superior_ids::text || coalesce(', merged into ' || successor_union_id, '') as places
    from {unions} order by union_id
"""
_OPEN_REQUESTS = """
    select revocation_id, batch.union_id, reviewer_union_id, superior_union_id
    from revocation join batch using (batch_no)
    where state = 'requested' and reviewer_union_id is distinct from superior_union_id
"""
_OF_ROWS = """
    select union_id, string_agg(distinct superior_ids::text, ' or ') as places from ({rows}) as stored
    group by union_id order by union_id
"""
_KNOWN = _PLACES.format(unions="known_union")
_STORED = (
    ("batching", _KNOWN),
    (
        "batching",
        _OF_ROWS.format(
            rows="select union_id, superior_ids from batch union select union_id, superior_ids from card"
            " union select union_id, superior_ids from listed_union"
            " union select union_id, superior_ids from moved_member"
        ),
    ),
    ("revocation", _KNOWN),
    ("revocation", _OF_ROWS.format(rows="select union_id, superior_ids from batch")),
)
_MERGED = 'select union_id from "union" where successor_union_id is not null'
_HOLDERS = {
    "membership": "select union_id, 'member' as holder from member union select union_id, 'account' from account"
    " union select union_id, 'application' from application union select union_id, 'step' from application_history"
    " union select from_union_id, 'open transfer' from transfer where state = 'requested'"
    " union select to_union_id, 'open transfer' from transfer where state = 'requested'"
    " union select superior_union_id, 'subordinate' from \"union\" where superior_union_id is not null",
    "batching": "select distinct union_id, 'application' as holder from application",
    "revocation": "select union_id, 'request' as holder from revocation"
    " union select reviewer_union_id, 'request to decide' from revocation",
    "notification": "select union_id, 'message' as holder from inbox_message"
    " union select union_id, 'count' from report_count where count <> 0",
}


def tree_is_sound(snapshots: Snapshots) -> Iterator[Violation]:
    """The unions above one are those above its superior, and the superior; an ended one has nobody."""
    for row in snapshots.rows("membership", _OUT_OF_PLACE):
        yield Violation("union_tree", str(row["union_id"]), "the unions above are not those of its superior")
    for row in snapshots.rows("membership", _NOT_EMPTY):
        detail = f"ended, but has {row['members'] or 0} members and {row['accounts'] or 0} open accounts"
        yield Violation("union_tree", str(row["union_id"]), detail)


def places_agree(snapshots: Snapshots) -> Iterator[Violation]:
    """What batching and revocation store of a union has the place that membership knows; its superior decides."""
    for service, stored in _STORED:
        known = snapshots.rows("membership", _PLACES.format(unions='"union"'))
        for union_id, ours, theirs in paired(known, snapshots.rows(service, stored)):
            if theirs is not None and (ours is None or ours["places"] != theirs["places"]):
                detail = f"below {theirs['places']} in {service}, {ours['places'] if ours else 'unknown'} in membership"
                yield Violation("union_places_agree", str(union_id), detail, {"membership": ours, service: theirs})
    for row in snapshots.rows("revocation", _OPEN_REQUESTS):
        detail = f"{row['reviewer_union_id']} decides on request {row['revocation_id']}, not {row['superior_union_id']}"
        yield Violation("union_places_agree", str(row["union_id"]), detail, {"revocation": row})


def merged_unions_hold_nothing(snapshots: Snapshots) -> Iterator[Violation]:
    """All that was a merged union's is its successor's, in every service."""
    merged = {row["union_id"] for row in snapshots.rows("membership", _MERGED)}
    for service, holders in _HOLDERS.items() if merged else ():
        for row in snapshots.rows(service, holders):
            if row["union_id"] in merged:
                detail = f"merged, but {service} has a {row['holder']} of it"
                yield Violation("merged_unions_empty", str(row["union_id"]), detail, {service: row})
