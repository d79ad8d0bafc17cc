"""Cards: each issued application has one, membership and batching agree on it, no report is lost."""

from collections.abc import Iterator

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Side, Violation, disagreements

_WITHOUT_CARD = """
    select coalesce(application.application_id, card.application_id) as application_id, state,
        card.application_id is not null as has_card, member_differs
    from application full join (
        select card.*, card.member_id <> application.member_id as member_differs
        from card left join application using (application_id)
    ) as card using (application_id)
    where (coalesce(state, '') = 'issued') <> (card.application_id is not null) or member_differs
"""
_SEVERAL = """
    select member_id, count(*) as several from card where status <> 'closed' group by member_id having count(*) > 1
"""
_SAME_NUMBER = """
    select min(application_id::text) as application_id, count(distinct application_id) as several from (
        select application_id, card_digest as number from application where card_digest is not null
        union all select application_id, new_card_digest from card_report where new_card_digest is not null
    ) as used group by number having count(*) > 1
"""
_WRONG = """
    select * from (
        select card.application_id, status, card.version, coalesce(counted, 0) as counted,
            case when closed then 'closed' when lost then 'lost' when active then 'active'
                when collected then 'collected' else 'made' end as reported
        from card left join (
            select card.application_id, count(*) as counted,
                bool_or(own and step = 'closed') as closed, bool_or(own and step = 'lost') as lost,
                bool_or(own and step = 'activated') as active, bool_or(own and step = 'collected') as collected
            from card join (
                select card_report.*, card_report.card_digest = card.card_digest as own
                from card_report join card using (application_id) where card_report.version is not null
            ) as report using (application_id)
            group by card.application_id
        ) as counted using (application_id)
    ) as computed
    where status <> reported or version <> counted
"""
_EARLY = """
    select application_id, step, at from card_report join application using (application_id)
    where card_report.version is null and state = 'issued'
"""
_IN_MEMBERSHIP = """
    select application_id, member_id, member_no, union_id, coalesce(card_status, 'made') as status,
        card_version as version
    from member where card_state = 'issued' order by application_id
"""
_IN_BATCHING = """
    select card.application_id, card.member_id, member_no, card.union_id, status, card.version
    from card join application using (application_id) order by card.application_id
"""
_STEPS_LOST = """
    select member.application_id, card_version, count(card_step.version) as kept from member
    left join card_step using (member_id)
    where card_version > 0 or card_step.version is not null
    group by member.member_id, card_version having card_version <> count(card_step.version)
"""


def issued_applications_have_cards(snapshots: Snapshots) -> Iterator[Violation]:
    """An application has a card exactly if it is issued, and it is its member's."""
    for row in snapshots.rows("batching", _WITHOUT_CARD):
        what = "a card of another member" if row["member_differs"] else "a card" if row["has_card"] else "no card"
        yield Violation("card_of_issue", str(row["application_id"]), f"{row['state']} with {what}")


def one_active_card(snapshots: Snapshots) -> Iterator[Violation]:
    """A member has at most one card that is not closed, and no number was given to two."""
    for query in (_SEVERAL, _SAME_NUMBER):
        for row in snapshots.rows("batching", query):
            offender, several = row.values()
            yield Violation("one_active_card", str(offender), f"{several} in batching")


def cards_follow_reports(snapshots: Snapshots) -> Iterator[Violation]:
    """The status of a card is the furthest that is reported of its number, and its version counts its reports."""
    for row in snapshots.rows("batching", _WRONG):
        detail = f"{row['status']} after {row['version']} steps; {row['counted']} reports make it {row['reported']}"
        yield Violation("card_follows_reports", str(row["application_id"]), detail)


def reports_are_applied(snapshots: Snapshots) -> Iterator[Violation]:
    """No report on an issued card waits for the number that it speaks of."""
    for row in snapshots.rows("batching", _EARLY):
        detail = f"{row['step']}, reported at {row['at']}, of a number that is not known to be its card's"
        yield Violation("card_report_applied", str(row["application_id"]), detail)


def membership_and_batching_agree(snapshots: Snapshots) -> Iterator[Violation]:
    """Membership and batching agree on the member, the union, the status and the version of each card."""
    membership = Side("membership", snapshots.rows("membership", _IN_MEMBERSHIP))
    yield from disagreements("cards_agree", membership, Side("batching", snapshots.rows("batching", _IN_BATCHING)))


def no_step_is_lost(snapshots: Snapshots) -> Iterator[Violation]:
    """Membership keeps each step of a card, however they came."""
    for row in snapshots.rows("membership", _STEPS_LOST):
        detail = f"{row['kept']} of {row['card_version']} steps kept in membership"
        yield Violation("no_card_step_lost", str(row["application_id"]), detail)
