"""Violates each invariant in a system after the manual's story: by SQL that returns the offender, or by a message
on a queue.

All are violated at once and checked once, so each takes another object.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import amqp
from sqlalchemy import create_engine, text

from services.kit.amqp.connection import open_connection


@dataclass(frozen=True)
class InjectedViolation:
    """A change of a service's database, and the invariant that it violates."""

    invariant: str
    service: str
    statements: tuple[str, ...]


def _nth(table: str, key: str, number: int, where: str = "true") -> str:
    return f"(select {key} from {table} where {where} order by {key} offset {number} limit 1)"


def _an_enrolment(
    number: str, where: str, *, year: int = 2099, covers_to: str = "'2099-12-31'", superseded: str = "false"
) -> str:
    return (
        "insert into enrolment (enrolment_no, member_id, year, way, kinds, covers_from, covers_to, state, superseded,"
        f" changed_at) select '{number}', member_id, {year}, 'collective', 'death', make_date({year}, 1, 1),"
        f" {covers_to}, 'active', {superseded}, now() from member where {where} order by member_id limit 1"
        " returning enrolment_no"
    )


_ISSUED = "state = 'issued'"
_HAS_CARD = "card_state = 'issued'"
VIOLATIONS = (
    InjectedViolation(
        "applications_agree",
        "batching",
        (
            "update application set member_no = '0' where application_id = "
            + _nth("application", "application_id", 0, _ISSUED)
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "applications_agree",
        "membership",
        (
            "insert into application (application_id, member_id, union_id, queued_by, queued_at, state) select"
            " gen_random_uuid(), member_id, union_id, member_id, now(), 'removed' from member limit 1"
            " returning application_id",
        ),
    ),
    InjectedViolation(
        "revocation_agrees",
        "revocation",
        (
            "update application set state = 'submitted' where application_id = "
            + _nth("application", "application_id", 1, _ISSUED)
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "possible_state",
        "batching",
        (
            "update application set bank_outcome = 'made' where application_id = "
            + _nth("application", "application_id", 2, _ISSUED)
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "no_step_lost",
        "membership",
        (
            "delete from application_history where version = 1 and application_id = "
            + _nth("application", "application_id", 3, _ISSUED)
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "one_live_application",
        "membership",
        (
            "drop index uq_application_live_member_id",
            "insert into application (application_id, member_id, union_id, queued_by, queued_at) select"
            " gen_random_uuid(), member_id, union_id, member_id, now() from member, generate_series(1, 2)"
            " where card_state = 'none' order by member_id limit 2 returning member_id",
        ),
    ),
    InjectedViolation(
        "one_issued_card",
        "membership",
        (
            "drop index uq_application_issued_member_id",
            "insert into application (application_id, member_id, union_id, queued_by, queued_at, state) select"
            " gen_random_uuid(), member_id, union_id, queued_by, now(), state from application where state = 'issued'"
            " order by application_id limit 1 returning member_id",
        ),
    ),
    InjectedViolation(
        "one_issued_card",
        "batching",
        (
            "drop index uq_application_card_digest",
            "update application set card_digest = (select card_digest from application where application_id = "
            + _nth("application", "application_id", 4, _ISSUED)
            + ") where application_id = "
            + _nth("application", "application_id", 5, _ISSUED),
            "select application_id from application where application_id = "
            + _nth("application", "application_id", 4, _ISSUED),
        ),
    ),
    InjectedViolation(
        "unique_member_number",
        "membership",
        (
            "alter table member drop constraint uq_member_member_no",
            "update member set member_no = (select max(member_no) from member) where member_id = "
            + _nth("member", "member_id", 0),
            "select min(member_id::text) from member where member_no = (select max(member_no) from member)",
        ),
    ),
    InjectedViolation(
        "card_state_follows",
        "membership",
        (
            "update member set card_state = 'pending' where member_id = "
            + _nth("member", "member_id", 4, "card_state = 'issued'")
            + " returning member_id",
        ),
    ),
    InjectedViolation(
        "card_of_issue",
        "batching",
        (
            "delete from card where application_id = "
            + _nth("card", "application_id", 7, "version = 0")
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "one_active_card",
        "batching",
        (
            "drop index uq_card_in_use_member_id",
            "update card set member_id = (select member_id from card where application_id = "
            + _nth("card", "application_id", 8)
            + ") where application_id = "
            + _nth("card", "application_id", 9),
            "select member_id from card where application_id = " + _nth("card", "application_id", 8),
        ),
    ),
    InjectedViolation(
        "card_follows_reports",
        "batching",
        (
            "update card set status = 'active' where application_id = "
            + _nth("card", "application_id", 10, "version = 0")
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "card_report_applied",
        "batching",
        (
            "insert into card_report (application_id, card_digest, step, happened_at) select application_id,"
            " 'another number', 'collected', now() from card where application_id = "
            + _nth("card", "application_id", 11)
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "cards_agree",
        "membership",
        (
            "update member set card_status = 'lost' where member_id = "
            + _nth("member", "member_id", 12, "card_state = 'issued'")
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "no_card_step_lost",
        "membership",
        (
            "insert into card_step (application_id, version, member_id, step, happened_at, by_union, card_no) select"
            " application_id, 999, member_id, 'collected', now(), false, card_no from member where member_id = "
            + _nth("member", "member_id", 14, "card_state = 'issued'")
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "transfers_conserve",
        "membership",
        (
            "update member set transfers = 1 where member_id = "
            + _nth("member", "member_id", 13, "card_state = 'issued'")
            + " returning member_id",
        ),
    ),
    InjectedViolation(
        "transfers_agree",
        "batching",
        (
            "insert into moved_member (member_id, union_id, union_name, version, transferred_at) select member_id,"
            " union_id, 'elsewhere', 2, now() from application where application_id = "
            + _nth("application", "application_id", 14, _ISSUED)
            + " returning member_id",
        ),
    ),
    InjectedViolation(
        "union_tree",
        "membership",
        (
            'update "union" set ended_at = now() where union_id = '
            + _nth("member", "union_id", 0, "left_at is null")
            + " returning union_id",
        ),
    ),
    InjectedViolation(
        "merged_unions_empty",
        "membership",
        (
            'update "union" set successor_union_id = superior_union_id where union_id = '
            + _nth("member", "union_id", 0, "left_at is null")
            + " returning union_id",
        ),
    ),
    InjectedViolation(
        "union_places_agree",
        "revocation",
        (
            "update batch set superior_ids = '{}' where batch_no = "
            + _nth("batch", "batch_no", 0)
            + " returning union_id",
        ),
    ),
    InjectedViolation(
        "transfer_leaves_nothing",
        "batching",
        (
            "insert into application (application_id, member_id, member_no, union_id, listed_at, name, document_type,"
            " document_number, document_digest, other_facts, channel) select gen_random_uuid(), member_id, member_no,"
            " gen_random_uuid(), now() - interval '1 day', name, document_type, document_number, document_digest,"
            " other_facts, channel from application join moved_member using (member_id) limit 1"
            " returning application_id",
        ),
    ),
    InjectedViolation(
        "checks_agree",
        "batching",
        (
            "update application set check_no = check_no + 1 where application_id = "
            + _nth("application", "application_id", 6, _ISSUED + " and check_no > 0")
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "check_finished",
        "validation",
        (
            "update application_check set result = 'waiting', checked_at = null where application_id = "
            + _nth("application_check", "application_id", 0)
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "import_finished", "membership", ("update import_job set state = 'running' returning import_id",)
    ),
    InjectedViolation(
        "batches_agree",
        "revocation",
        (
            "update batch set total = total + 1 where batch_no = "
            + _nth("batch", "batch_no", 0)
            + " returning batch_no",
        ),
    ),
    InjectedViolation(
        "revocation_done",
        "batching",
        (
            "update application set state = 'submitted', bank_outcome = null where application_id = "
            + _nth("application", "application_id", 0, "state = 'released'")
            + " returning batch_no",
        ),
    ),
    InjectedViolation(
        "revocation_done",
        "batching",
        (
            "update batch set revocation_state = 'approved' where batch_no = "
            + _nth("batch", "batch_no", 0, "revocation_state is distinct from 'approved'")
            + " returning batch_no",
        ),
    ),
    InjectedViolation(
        "revocation_done",
        "revocation",
        (
            "update revocation set state = 'requested' where revocation_id = "
            + _nth("revocation", "revocation_id", 0, "state = 'rejected'")
            + " returning batch_no",
        ),
    ),
    InjectedViolation(
        "revocation_done",
        "revocation",
        (
            "drop index uq_revocation_open_batch_no",
            "insert into revocation (revocation_id, batch_no, union_id, reviewer_union_id, applicant_name,"
            " applicant_phone, requested_by, requested_at, state) select gen_random_uuid(), batch_no, union_id,"
            " reviewer_union_id, applicant_name, applicant_phone, requested_by, now(), 'requested' from"
            " (select * from revocation order by revocation_id limit 1) as one, generate_series(1, 2)"
            " returning batch_no",
        ),
    ),
    InjectedViolation(
        "batch_counts",
        "batching",
        (
            "update batch set issued = issued + 1 where batch_no = "
            + _nth("batch", "batch_no", 0)
            + " returning batch_no",
        ),
    ),
    InjectedViolation(
        "batch_persons",
        "batching",
        (
            "alter table batch_person disable trigger user",
            "update batch_person set member_no = '9999999999' where application_id = "
            + _nth("batch_person", "application_id", 0)
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "register_unchanged",
        "batching",
        (
            "alter table batch_person disable trigger user",
            "update batch_person set name = '某某' where application_id = "
            + _nth("batch_person", "application_id", 1)
            + " returning batch_no",
        ),
    ),
    InjectedViolation(
        "nothing_of_erased",
        "membership",
        (
            "update member set erased_at = now(), address = 'an address' where member_id = "
            + _nth(
                "member",
                "member_id",
                0,
                "not exists (select from application where application.member_id = member.member_id)",
            )
            + " returning member_id",
        ),
    ),
    InjectedViolation(
        "erasures_agree",
        "batching",
        (
            "update application set name = '（已删除）' where application_id = "
            + _nth("application", "application_id", 0, "batch_no is null")
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "batch_numbers",
        "batching",
        (
            "update batch_counter set last = last + 1 where union_code = "
            + _nth("batch_counter", "union_code", 0)
            + " returning union_code || '/' || day",
        ),
    ),
    InjectedViolation(
        "feedback_adds_up",
        "batching",
        (
            "update bank_feedback set repeated = repeated + 1 where id = "
            + _nth("bank_feedback", "id", 0)
            + " returning feedback_id",
        ),
    ),
    InjectedViolation(
        "result_file_adds_up",
        "batching",
        (
            "insert into bank_result_file (result_file_id, branch_code, file_name, uploaded_by, lines, applied,"
            " repeated, rejected, skipped, rejections, not_read) select gen_random_uuid(), code, 'x', 'ops', 2, 1, 0,"
            " 0, 0, '[]', '[]' from branch limit 1 returning result_file_id",
        ),
    ),
    InjectedViolation(
        "result_applied_once",
        "batching",
        (
            "update bank_feedback set applied = applied + 10000, results = results + 10000 where id = "
            + _nth("bank_feedback", "id", 1, "applied > 0")
            + " returning batch_no",
        ),
    ),
    InjectedViolation(
        "rejected_result_waits",
        "batching",
        (
            "insert into bank_feedback (feedback_id, batch_no, results, applied, repeated, rejected) select 'lost',"
            " batch_no, 1, 0, 0, 1 from batch limit 1 returning feedback_id",
        ),
    ),
    InjectedViolation("enrolled_with_card", "membership", (_an_enrolment("without-card", "card_state = 'none'"),)),
    InjectedViolation(
        "one_enrolment_counts",
        "membership",
        (
            _an_enrolment("superseded", _HAS_CARD, superseded="true"),
            "select member_id from enrolment where enrolment_no = 'superseded'",
        ),
    ),
    InjectedViolation(
        "possible_enrolment",
        "membership",
        (_an_enrolment("short", _HAS_CARD, year=2098, covers_to="'2098-12-30'"),),
    ),
    InjectedViolation(
        "enrolments_add_up",
        "membership",
        (
            "insert into enrolment_report (report_id, enrolments, applied, repeated, rejected)"
            " values ('unsound', 1000, 1000, 1, 0) returning report_id",
        ),
    ),
    InjectedViolation(
        "rejected_enrolment_waits",
        "membership",
        (
            "insert into enrolment_report (report_id, enrolments, applied, repeated, rejected)"
            " values ('lost-report', 1, 0, 0, 1) returning report_id",
        ),
    ),
    InjectedViolation(
        "outbox_empty",
        "notification",
        (
            "insert into outbox (exchange, routing_key, body, properties, mandatory)"
            " values ('events', 'lost', '', '{}', true) returning 'notification/' || id",
        ),
    ),
    InjectedViolation(
        "sms_settled",
        "notification",
        (
            "update sms set state = 'sending' where sms_id = "
            + _nth("sms", "sms_id", 0, "state = 'sent' and kind = 'cards_refused'")
            + " returning sms_id",
        ),
    ),
    InjectedViolation(
        "clerk_told",
        "notification",
        (
            "update inbox_message set count = count + 1 where message_id = (select message_id from inbox_message where"
            " split_part(topic, ':', 3) = 'cards_refused' limit 1) returning split_part(topic, ':', 4)",
        ),
    ),
    InjectedViolation(
        "revocation_told",
        "notification",
        (
            "delete from inbox_message where message_id = (select message_id from inbox_message where"
            " split_part(topic, ':', 3) = 'revocation_requested' limit 1) returning split_part(topic, ':', 4)",
        ),
    ),
    InjectedViolation(
        "contact_texted",
        "notification",
        (
            "delete from sms where sms_id = "
            + _nth("sms", "sms_id", 0, "kind = 'cards_issued'")
            + " returning split_part(topic, ':', 2)",
        ),
    ),
    InjectedViolation(
        "member_told",
        "notification",
        (
            "update member_notice set told = null where application_id = "
            + _nth("member_notice", "application_id", 0, "told is not null")
            + " returning application_id",
        ),
    ),
    InjectedViolation(
        "report_counts",
        "notification",
        (
            "update report_count set count = count + 1 where measure = 'issued' and not is_below and union_id = "
            + _nth("report_count", "union_id", 0, "measure = 'issued' and not is_below and count > 0")
            + " returning union_id || ':' || month",
        ),
    ),
    InjectedViolation(
        "report_unions",
        "notification",
        (
            "update report_union set name = '某某' where union_id = "
            + _nth("report_union", "union_id", 0)
            + " returning union_id",
        ),
    ),
    InjectedViolation(
        "report_sums",
        "notification",
        (
            "update report_count set count = count + 1 where is_below and measure = 'queued' and union_id = "
            + _nth("report_count", "union_id", 0, "is_below and measure = 'queued' and count > 0")
            + " returning union_id",
        ),
    ),
    InjectedViolation(
        "audit_head_remembered",
        "revocation",
        ("alter table audit_head disable trigger user", "delete from audit_head", "select 'revocation'"),
    ),
    InjectedViolation(
        "audit_head_signed",
        "batching",
        ("insert into audit_head (position, hash, statement) values (1, 'forged', 'forged')", "select 'batching'"),
    ),
    InjectedViolation(
        "act_log_holds",
        "membership",
        (
            "alter table audit_entry disable trigger user",
            "update audit_entry set outcome = 'refused' where position = 2",
            "select 'membership'",
        ),
    ),
)
LETTERS = {
    ("queue_empty", "batching.members_queued"): ("batching.members_queued", "on-its-way", {}),
    ("queue_empty", "membership.retry-5"): ("membership.retry-5", "waiting", {}),
    ("dead_letter_explained", "notification.batch_submitted.dead/died"): (
        "notification.batch_submitted.dead",
        "died",
        {"x-cause": "Reject", "x-reason": "wrong in itself"},
    ),
    ("dead_letter_explained", "bank.feedback.rejected/unsaid"): ("bank.feedback.rejected", "unsaid", {}),
}
"""Violations by the queue, id and headers of the message that causes them."""


def violate_in_databases(database_urls: Mapping[str, str]) -> list[tuple[InjectedViolation, str]]:
    """Applies all changes to databases; returns the offender of each."""
    offenders = []
    for broken in VIOLATIONS:
        engine = create_engine(database_urls[broken.service])
        with engine.begin() as connection:
            for statement in broken.statements:
                answer = connection.execute(text(statement))
            offenders.append((broken, str(answer.scalars().first())))
        engine.dispose()
    return offenders


def violate_in_queues(amqp_uri: str) -> None:
    """Publishes each message to a queue that should be empty."""
    connection = open_connection(amqp_uri, "test")
    channel = connection.channel()
    channel.confirm_select()
    for queue, message_id, headers in LETTERS.values():
        message = amqp.Message(b"{}", message_id=message_id, delivery_mode=2, application_headers=headers)
        channel.basic_publish_confirm(message, "", queue, mandatory=True)
    connection.close()
