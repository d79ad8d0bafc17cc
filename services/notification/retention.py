"""How long notification keeps the rows of its tables."""

from collections.abc import Sequence

from services.kit.data.retention import (
    OF_THE_KIT,
    Days,
    Expiring,
    Kept,
    Monthly,
    Table,
    Transient,
    refuse_below,
    rows_older,
)
from services.kit.settings import settings_class

_SIX_MONTHS = 180
_SHOWN_DAYS = 2
"""The operators' overview shows the changes of a day."""


@settings_class
class NotificationTerms:
    """Terms in days."""

    message_days: int = 365
    """How long messages of the inbox are kept; at least 180."""
    sms_days: int = _SIX_MONTHS
    """How long text messages that were sent, or failed, are kept with their telephone number; at least 180."""
    member_notice_days: int = _SIX_MONTHS
    """How long the number of a member is kept who is told of an application's outcome; at least 180."""
    sample_days: int = 2
    """How long the services' samples of each minute are kept; at least 2."""
    alert_days: int = _SIX_MONTHS
    """How long alerts are kept after monitoring last told of them."""

    def __post_init__(self) -> None:
        refuse_below(_SIX_MONTHS, self, "message_days", "sms_days", "member_notice_days")
        refuse_below(_SHOWN_DAYS, self, "sample_days", "alert_days")


TABLES: Sequence[Table] = (
    *OF_THE_KIT,
    Expiring(
        "alert",
        Days(NotificationTerms, "alert_days"),
        "monitoring last told of it",
        rows_older("alert", "heard_at"),
        "Shows the next shift, and a review half a year later, what fired and for how long; no personal data.",
    ),
    Kept("announcement", "Public, a few a month; withdrawn ones show what was announced."),
    Kept("attachment", "Belongs to an announcement or a guide."),
    Kept("guide", "Public, a few."),
    Expiring(
        "inbox_message",
        Days(NotificationTerms, "message_days"),
        "its first posting",
        rows_older("inbox_message", "message_id", parameter="before_id"),
        "Work of a year back is looked up in batches and revocations, not in messages.",
    ),
    Expiring(
        "member_message",
        Days(NotificationTerms, "message_days"),
        "its creation",
        rows_older("member_message", "message_id", parameter="before_id"),
        "What a member was told a year ago is seen in the application's steps.",
    ),
    Expiring(
        "member_notice",
        Days(NotificationTerms, "member_notice_days"),
        "the submission or the outcome, whichever is known first",
        rows_older("member_notice", "known_at"),
        "The number at which a member is told of the outcome, and that it was told; a bank that is silent for half a "
        "year is not waited for.",
    ),
    Kept("message_template", "Every text that was in force, with who edited it: shows what people were told."),
    Kept("monthly_report", "One row a month, so that no report is sent twice; no personal data."),
    Transient("read_mark", "its message is deleted", "Says who has read it."),
    Kept(
        "report_application",
        "What reports count of each application: ids, states, times and reasons, no names or numbers; kept with the "
        "application.",
    ),
    Kept("report_count", "Counts, by union and month; no personal data."),
    Kept(
        "report_member", "Which members are counted: ids, the times of registration and leaving; kept with the member."
    ),
    Kept("report_name", "One row for each branch, rule and reason of the bank."),
    Kept("report_rebuild", "One row."),
    Transient("report_rebuild_event", "the rebuild has ended, or the next one begins", "Shows when all is counted."),
    Kept("report_union", "One row a union."),
    Expiring(
        "service_sample",
        Days(NotificationTerms, "sample_days"),
        "its minute",
        rows_older("service_sample", "minute"),
        "The overview shows the changes of a day; five rows a minute. Prometheus keeps longer histories.",
    ),
    Expiring(
        "told_reviewers",
        Days(NotificationTerms, "message_days"),
        "the request",
        rows_older("told_reviewers", "told_at"),
        "An older event about a request is recognised as long as the request's messages are kept.",
    ),
    Kept("sms_refusal", "A member's wish, until the member changes it; an id, no number."),
    Expiring(
        "sms",
        Days(NotificationTerms, "sms_days"),
        "its creation",
        rows_older("sms", "sms_id", "state in ('sent', 'failed')", parameter="before_id"),
        "Waits to be sent; a day after it was sent or failed it goes to `past_sms`.",
    ),
    Monthly(
        "past_sms",
        Days(NotificationTerms, "sms_days"),
        "gone",
        "Shows that somebody was told, for the six months of network logs (Cybersecurity Law, article 21); personal "
        "information is kept no longer than needed (Personal Information Protection Law, article 19).",
    ),
)
