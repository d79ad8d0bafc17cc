"""Applications and members: each application in one state that all services agree on, one card a member."""

from collections.abc import Iterator

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Side, Violation, disagreements, paired

_IN_MEMBERSHIP = """
    select application.application_id, member_id, member_no, application.union_id, state, version, application.channel,
        batch_no
    from application join member using (member_id) order by application.application_id
"""
_IN_BATCHING = """
    select application_id, member_id, member_no, union_id, state, version, channel, batch_no
    from application order by application_id
"""
_BATCHED = """
    select application_id, batch_no, state, version from application where batch_no is not null order by application_id
"""
_IN_REVOCATION = "select application_id, batch_no, state, version from application order by application_id"

_IMPOSSIBLE = """
    select application_id, state, batch_no, bank_outcome, card_digest is not null as has_card from application
    where state not in ('queued', 'removed', 'submitted', 'issued', 'refused', 'released')
    or (state in ('queued', 'removed')) <> (batch_no is null)
    or (state = 'issued') <> (bank_outcome is not distinct from 'issued')
    or (state = 'issued') <> (card_digest is not null)
    or (state = 'refused' and bank_outcome is distinct from 'refused')
    or (state in ('queued', 'removed', 'submitted') and bank_outcome in ('issued', 'refused'))
"""
_STEPS_LOST = """
    select application_id, version + 1 as steps, coalesce(kept, 0) as kept, state, newest
    from application left join (
        select application_id, count(*) as kept, (array_agg(state order by version desc))[1] as newest
        from application_history group by application_id
    ) as history using (application_id)
    where (version + 1 is distinct from kept or state is distinct from newest)
        -- Steps of applications that ended three years ago are deleted together.
        and not (kept is null and state not in ('queued', 'submitted') and queued_at < now() - interval '1000 days')
"""
_SEVERAL = """
    select member_id, count(*) as several from application where state in ({states}) group by member_id
    having count(*) > 1
"""
_SAME_CARD = """
    select min(application_id::text) as application_id, count(*) as several from application
    where card_digest is not null group by card_digest having count(*) > 1
"""
_SAME_NUMBER = """
    select min(member_id::text) as member_id, count(*) as several from member where member_no is not null
    group by member_no having count(*) > 1
"""
_CARD_STATES = """
    select coalesce(member.member_id, told.member_id) as member_id,
        member.card_state, member.application_id, told.application_id as told_of, told.card_state as told,
        member.card_no is not null as has_card
    from (
        select member_id, application_id, channel,
            case state when 'queued' then 'pending' else state end as card_state
        from application where state in ('queued', 'submitted', 'issued')
    ) as told
    full join (select * from member where card_state <> 'none' or application_id is not null or card_no is not null)
        as member using (member_id)
    where member.card_state is distinct from told.card_state
    or member.application_id is distinct from told.application_id
    or member.channel is distinct from told.channel
    or (member.card_state = 'issued') is distinct from (member.card_no is not null)
"""
_CHECKED = """
    select application_id, check_no, case when state = 'queued' and check_state <> 'unchecked' then check_state end
        as result
    from application where check_no > 0 order by application_id
"""
_CHECKS = """
    select distinct on (application_id) application_id, check_no, result
    from application_check order by application_id, check_no desc
"""
_UNFINISHED_CHECKS = """
    select application_id, check_no, result, waiting_check.tries, waiting_check.next_try_at, checked_at
    from (
        select distinct on (application_id) * from application_check order by application_id, check_no desc
    ) as newest left join waiting_check using (application_id, check_no)
    where result not in ('passed', 'failed') or checked_at is null or waiting_check.tries is not null
"""
_RUNNING_IMPORTS = """
    select import_id, state, rows_read, rows_total from import_job where state in ('reading', 'running')
"""


def membership_and_batching_agree(snapshots: Snapshots) -> Iterator[Violation]:
    """Every application ever queued is in one state, on which membership and batching agree."""
    membership = Side("membership", snapshots.rows("membership", _IN_MEMBERSHIP))
    return disagreements("applications_agree", membership, Side("batching", snapshots.rows("batching", _IN_BATCHING)))


def revocation_and_batching_agree(snapshots: Snapshots) -> Iterator[Violation]:
    """Revocation and batching agree on each application in a batch."""
    batching = Side("batching", snapshots.rows("batching", _BATCHED))
    return disagreements(
        "revocation_agrees", batching, Side("revocation", snapshots.rows("revocation", _IN_REVOCATION))
    )


def states_are_possible(snapshots: Snapshots) -> Iterator[Violation]:
    """An application's state is consistent with its batch, the bank's outcome and the card."""
    for row in snapshots.rows("batching", _IMPOSSIBLE):
        card = "a card" if row["has_card"] else "no card"
        detail = f"{row['state']} in batch {row['batch_no']}, the bank says {row['bank_outcome']}, {card}"
        yield Violation("possible_state", str(row["application_id"]), detail)


def no_step_is_lost(snapshots: Snapshots) -> Iterator[Violation]:
    """Membership has received each step of each application: versions have no gap."""
    for row in snapshots.rows("membership", _STEPS_LOST):
        detail = f"{row['kept']} of {row['steps']} steps kept; {row['state']}, by its history {row['newest']}"
        yield Violation("no_step_lost", str(row["application_id"]), detail)


def one_live_application(snapshots: Snapshots) -> Iterator[Violation]:
    """A member has at most one application that is queued or submitted."""
    for service in ("membership", "batching"):
        yield from _several(snapshots, "one_live_application", service, _SEVERAL.format(states="'queued', 'submitted'"))


def one_issued_card(snapshots: Snapshots) -> Iterator[Violation]:
    """A member has at most one issued card, and no card belongs to two members."""
    for service in ("membership", "batching"):
        yield from _several(snapshots, "one_issued_card", service, _SEVERAL.format(states="'issued'"))
    yield from _several(snapshots, "one_issued_card", "batching", _SAME_CARD)


def member_numbers_are_unique(snapshots: Snapshots) -> Iterator[Violation]:
    """No two members share a number."""
    return _several(snapshots, "unique_member_number", "membership", _SAME_NUMBER)


def card_states_follow_applications(snapshots: Snapshots) -> Iterator[Violation]:
    """A member's card state is that of the live or issued application, and none without one."""
    for row in snapshots.rows("membership", _CARD_STATES):
        card = "a card" if row["has_card"] else "no card"
        detail = (
            f"the member is {row['card_state']} by application {row['application_id']} with {card}; "
            f"application {row['told_of']} makes it {row['told']}"
        )
        yield Violation("card_state_follows", str(row["member_id"]), detail)


def checks_agree(snapshots: Snapshots) -> Iterator[Violation]:
    """The current check of each application is validation's newest; the pending list shows its result."""
    for application_id, current, made in paired(
        snapshots.rows("batching", _CHECKED), snapshots.rows("validation", _CHECKS)
    ):
        if made is None or current is None:
            knows, lacks = ("batching", "validation") if made is None else ("validation", "batching")
            detail = f"its check is known to {knows}, not to {lacks}"
        elif made["check_no"] != current["check_no"]:
            detail = f"check {current['check_no']} is current in batching, {made['check_no']} the newest in validation"
        elif current["result"] not in (None, made["result"]):
            detail = f"{current['result']} in batching, {made['result']} in validation"
        else:
            continue
        yield Violation("checks_agree", str(application_id), detail, {"batching": current, "validation": made})


def checks_are_finished(snapshots: Snapshots) -> Iterator[Violation]:
    """Each check has its result; none waits, not even for the registry."""
    for row in snapshots.rows("validation", _UNFINISHED_CHECKS):
        detail = (
            f"check {row['check_no']} is {row['result']}, checked at {row['checked_at']}, "
            f"{row['tries'] or 0} tries, the next at {row['next_try_at']}"
        )
        yield Violation("check_finished", str(row["application_id"]), detail)


def imports_are_finished(snapshots: Snapshots) -> Iterator[Violation]:
    """No import is still running."""
    for row in snapshots.rows("membership", _RUNNING_IMPORTS):
        detail = f"{row['state']}, {row['rows_read']} of {row['rows_total']} rows read"
        yield Violation("import_finished", str(row["import_id"]), detail)


def _several(snapshots: Snapshots, invariant: str, service: str, query: str) -> Iterator[Violation]:
    for row in snapshots.rows(service, query):
        offender, several = row.values()
        yield Violation(invariant, str(offender), f"{several} in {service}")
