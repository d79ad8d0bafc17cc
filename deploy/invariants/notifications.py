"""Notifications: everybody concerned has received each inbox message and SMS, once.

Messages are kept for 180 days at least, so that what happened more than 150 days ago is not compared.
"""

from collections.abc import Iterator

from deploy.invariants.system import Snapshots
from deploy.invariants.violations import Side, Violation, disagreements, paired

_UNSETTLED_SMS = """
    select sms_id, kind, state, attempts, sent_at, last_error from sms
    where not (state = 'waiting' and attempts = 0 and due_at > now() + interval '1 minute') and (
        state not in ('sent', 'failed')
        or (state = 'sent') <> (sent_at is not null)
        or (state = 'failed') <> (last_error is not null)
        or attempts < 1
    )
"""
"""One that was not tried yet waits for the end of the quiet hours, or for more of its topic."""
_DECIDED_APPLICATIONS = """
    select application_id, state from application where state in ('issued', 'refused') order by application_id
"""
_NOTICES = """
    select application_id, outcome, told from member_notice where phone is not null order by application_id
"""
_TURNED_OFF = """
    select count(*) as kinds from message_template
    where not is_on
        and kind in ('sms_cards_issued', 'sms_cards_refused', 'sms_revocation_approved', 'sms_revocation_rejected',
            'sms_revocation_closed')
"""
_FACTS_OF_BATCHES = """
    select batch_no, 1 as submitted, issued, refused, submitted_at < now() - interval '150 days' as is_old
    from batch where not personal order by batch_no collate "C"
"""
_NOTIFIED_OF_BATCHES = """
    select split_part(topic, ':', 4) as batch_no,
        coalesce(sum(count) filter (where split_part(topic, ':', 3) = 'batch_submitted'), 0) as submitted,
        coalesce(sum(count) filter (where split_part(topic, ':', 3) in ('cards_issued', 'cards_issued_late')), 0)
            as issued,
        coalesce(sum(count) filter (where split_part(topic, ':', 3) = 'cards_refused'), 0) as refused
    from inbox_message
    where split_part(topic, ':', 3) in ('batch_submitted', 'cards_issued', 'cards_issued_late', 'cards_refused')
    group by split_part(topic, ':', 4) order by split_part(topic, ':', 4) collate "C"
"""
_CARDS_OF_BATCHES = """
    select batch_no, issued, refused, personal or submitted_at < now() - interval '150 days' as is_old
    from batch where issued > 0 or refused > 0 order by batch_no collate "C"
"""
_TEXTED_OF_BATCHES = """
    select split_part(topic, ':', 2) as batch_no,
        coalesce(sum(count) filter (where kind = 'cards_issued'), 0) as issued,
        coalesce(sum(count) filter (where kind = 'cards_refused'), 0) as refused
    from (select kind, topic, count from sms union all select kind, topic, count from past_sms) as texted
    where kind in ('cards_issued', 'cards_refused')
    group by split_part(topic, ':', 2) order by split_part(topic, ':', 2) collate "C"
"""
_REVOCATIONS = """
    select revocation_id::text as revocation_id, 1 as asked, case when state = 'requested' then 0 else 1 end as decided,
        requested_at < now() - interval '150 days' as is_old
    from revocation order by revocation_id::text collate "C"
"""
_NOTIFIED_OF_REVOCATIONS = """
    select split_part(topic, ':', 4) as revocation_id,
        bool_or(split_part(topic, ':', 3) = 'revocation_requested')::int as asked,
        coalesce(sum(count) filter (where split_part(topic, ':', 3) = 'revocation_decided'), 0) as decided
    from inbox_message where split_part(topic, ':', 3) in ('revocation_requested', 'revocation_decided')
    group by split_part(topic, ':', 4) order by split_part(topic, ':', 4) collate "C"
"""
_ASKED = """
    select distinct split_part(topic, ':', 4) as revocation_id from inbox_message
    where split_part(topic, ':', 3) = 'revocation_requested' and settled_at is null
"""
_DECIDED = """
    select count(*) filter (where decided_at > now() - interval '149 days') as least,
        count(*) filter (where decided_at > now() - interval '150 days') as most
    from revocation where state <> 'requested'
"""
_TEXTED_DECISIONS = """
    select count(*) filter (where created_at > now() - interval '149 days') as least,
        count(*) filter (where created_at > now() - interval '150 days') as most
    from (select kind, created_at from sms union all select kind, created_at from past_sms) as texted
    where kind = 'revocation_decided'
"""
"""An SMS follows its decision: on the first day one of them may be within the time and the other not."""


def sms_are_settled(snapshots: Snapshots) -> Iterator[Violation]:
    """Every SMS was sent, or failed with a recorded reason."""
    for row in snapshots.rows("notification", _UNSETTLED_SMS):
        detail = (
            f"{row['kind']} is {row['state']} after {row['attempts']} tries, sent at {row['sent_at']}, "
            f"reason: {row['last_error']}"
        )
        yield Violation("sms_settled", str(row["sms_id"]), detail)


def clerks_were_notified(snapshots: Snapshots) -> Iterator[Violation]:
    """Clerks have a message about each batch and its cards; clerks and reviewers have one about each revocation.

    Of a request that went to other reviewers, each of them has one.
    """
    yield from disagreements(
        "clerk_told",
        Side("batching", snapshots.rows("batching", _FACTS_OF_BATCHES)),
        Side("notification", snapshots.rows("notification", _NOTIFIED_OF_BATCHES)),
        unless="is_old",
    )
    yield from disagreements(
        "revocation_told",
        Side("revocation", snapshots.rows("revocation", _REVOCATIONS)),
        Side("notification", snapshots.rows("notification", _NOTIFIED_OF_REVOCATIONS)),
        unless="is_old",
    )
    asked = {row["revocation_id"] for row in snapshots.rows("notification", _ASKED)}
    for row in snapshots.rows("revocation", _REVOCATIONS):
        if not row["decided"] and not row["is_old"] and row["revocation_id"] not in asked:
            yield Violation("revocation_told", row["revocation_id"], "waits, and no reviewers have an open message")


def members_were_told(snapshots: Snapshots) -> Iterator[Violation]:
    """A member whose number is known was told what the bank decided."""
    decided = snapshots.rows("batching", _DECIDED_APPLICATIONS)
    for application_id, application, notice in paired(decided, snapshots.rows("notification", _NOTICES)):
        state = application["state"] if application else notice and notice["outcome"]
        if notice and notice["told"] != state:
            yield Violation("member_told", str(application_id), f"{state}, told of {notice['told']}")


def contacts_were_texted(snapshots: Snapshots) -> Iterator[Violation]:
    """A batch's contact has an SMS about each issued or refused card, a revocation's applicant about the decision.

    Not compared where the city has turned such messages off at some time.
    """
    if next(snapshots.rows("notification", _TURNED_OFF))["kinds"]:
        return
    yield from disagreements(
        "contact_texted",
        Side("batching", snapshots.rows("batching", _CARDS_OF_BATCHES)),
        Side("notification", snapshots.rows("notification", _TEXTED_OF_BATCHES)),
        unless="is_old",
    )
    decided = next(snapshots.rows("revocation", _DECIDED))
    texted = next(snapshots.rows("notification", _TEXTED_DECISIONS))
    if decided["least"] > texted["most"] or texted["least"] > decided["most"]:
        yield Violation(
            "contact_texted", "revocations", f"{decided['most']} decided in revocation, {texted['most']} SMS"
        )
