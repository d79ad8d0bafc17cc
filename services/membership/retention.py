"""How long membership keeps the rows of its tables."""

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

_LIMITATION = 1095
"""Three years: the limitation of claims, and the least that records of handling personal data are kept."""

_NETWORK_LOGS = 180
"""Six months: the least that logs of the network are kept by the Cybersecurity Law, article 21."""


@settings_class
class MembershipTerms:
    """Terms in days."""

    record_days: int = _LIMITATION
    """How long steps of ended applications, corrections, changes of telephones, and the record of who was shown or
    searched which number are kept; at least 1095."""
    import_days: int = 90
    """How long ended imports with their rejected rows are kept."""
    session_days: int = 30
    """How long sessions after their last use, and links to set a password after their end, are kept."""
    device_days: int = 180
    """How long a browser that signed somebody in counts as known after its last use."""

    def __post_init__(self) -> None:
        refuse_below(_LIMITATION, self, "record_days")


@settings_class
class AuditTerms:
    """When months of the audit log leave the database, and where they go."""

    audit_days: int = 400
    """How long after its end a month of the audit log can be searched; then it is in a file. At least 180."""
    audit_archive_folder: str = ""
    """The folder to which old months of the audit log are written before they are dropped, the same one for all
    processes of membership; unless it is set none is dropped."""

    def __post_init__(self) -> None:
        refuse_below(_NETWORK_LOGS, self, "audit_days")


@settings_class
class ErasureTerms:
    """When a member's data may be erased on request, and how long those of a copy are kept; in days."""

    erasure_days: int = _LIMITATION
    """How long after leaving the union the data of a member are kept, however they may ask; at least 1095 (Civil Code,
    article 188; Personal Information Protection Law, articles 47 and 56)."""
    subject_copy_days: int = 30
    """How long the data of a copy can be downloaded."""

    def __post_init__(self) -> None:
        refuse_below(_LIMITATION, self, "erasure_days")


_RECORD = Days(MembershipTerms, "record_days")
_ENDED_STEPS = """
    delete from application_history where application_id = any(array(
        select step.application_id from application_history as step
        join application using (application_id, version)
        where step.at < %(before)s and step.state in ('issued', 'refused', 'released', 'removed')
            and application.state = step.state
        order by step.at limit %(limit)s for update of step skip locked
    ))
"""
_ROWS_OF_ENDED_IMPORTS = """
    delete from import_row where ctid = any(array(
        select import_row.ctid from import_job join import_row using (import_id)
        where import_job.import_id < %(before_id)s and import_job.finished_at < %(before)s
        order by import_job.import_id limit %(limit)s for update of import_row skip locked
    ))
"""
_FORMER = "An earlier release wrote it; the table goes when no process of that release can run any more."

TABLES: Sequence[Table] = (
    *OF_THE_KIT,
    Kept("account", "Other records name it; a former holder's account is disabled, not deleted."),
    Kept("account_control", "Decides for ever which accounts one person may act as; no personal data but ids."),
    Kept("account_preference", "How an account's lists look: a few small values each, replaced when they change."),
    Kept("address_failures", _FORMER),
    Kept("application", "The state of a member's card and of each attempt to get one; kept with the member."),
    Expiring(
        "application_history",
        _RECORD,
        "the last step of an application that ended",
        _ENDED_STEPS,
        "A member may ask why an application ended as long as a claim could be raised (Civil Code, article 188); its "
        "last state stays.",
    ),
    Kept("audit_archive", "Proof of what the archives hold, one row for each."),
    Monthly(
        "audit_entry",
        Days(AuditTerms, "audit_days"),
        "in a file, kept for ever",
        "The Cybersecurity Law, article 21, demands six months; a year and a month can be searched, and the chain is "
        "kept whole in the files.",
    ),
    Monthly("audit_reach", Days(AuditTerms, "audit_days"), "gone: it follows from the entries", "With its entries."),
    Kept("card_step", "The history of a member's card, which the member and the union see; kept with the member."),
    Expiring(
        "disclosure",
        _RECORD,
        "the disclosure",
        rows_older("disclosure", "disclosure_id", parameter="before_id"),
        "Records of handling personal data are kept for three years (Personal Information Protection Law, article 56); "
        "the database deletes no younger one.",
    ),
    Kept("enrolment", "What the mutual-aid society insures; kept with the member."),
    Kept("enrolment_report", "Recognizes a report that comes again, however late; no personal data."),
    Kept("delegation", "In whose name a reviewer's deputy decided; a few each year, kept as the decisions are."),
    Transient("failure_count", "`SIGN_IN_FAILURES_MINUTES` after the count, by the next failure of anybody", "Delays."),
    Expiring(
        "import_row",
        Days(MembershipTerms, "import_days"),
        "the end of the import",
        _ROWS_OF_ENDED_IMPORTS,
        "A clerk corrects rejected rows within days; they hold personal data of people who are no members.",
    ),
    Expiring(
        "import_job",
        Days(MembershipTerms, "import_days"),
        "the end of the import",
        rows_older(
            "import_job",
            "import_id",
            "finished_at < %(before)s"
            " and not exists (select from import_row where import_row.import_id = import_job.import_id)",
            parameter="before_id",
        ),
        "As its rows.",
    ),
    Expiring(
        "known_device",
        Days(MembershipTerms, "device_days"),
        "its last use",
        rows_older("known_device", "used_at"),
        "A device that was not used for half a year is delayed like an unknown one.",
    ),
    Kept("subject_answer", "What was done at a member's request; counts alone, no personal data."),
    Expiring(
        "subject_copy",
        Days(ErasureTerms, "subject_copy_days"),
        "the service's answer",
        rows_older("subject_copy", "answered_at"),
        "The copy was handed to the member, or is asked for again.",
    ),
    Kept("subject_request", "Proof of what members asked of us, and of what was done; numbers alone, and the reason."),
    Kept("member", "The union's register: a row goes when the union deletes the member."),
    Expiring(
        "member_correction",
        _RECORD,
        "the correction",
        rows_older("member_correction", "correction_id", parameter="before_id"),
        "Who corrected what, as long as a claim could be raised.",
    ),
    Kept("one_time_password", _FORMER),
    Expiring(
        "phone_change",
        _RECORD,
        "the request",
        rows_older("phone_change", "change_id", "expires_at < %(before)s", parameter="before_id"),
        "Who had an account's telephone changed, as long as a claim could be raised.",
    ),
    Expiring(
        "union_change",
        _RECORD,
        "the request",
        rows_older("union_change", "change_id", "expires_at < %(before)s", parameter="before_id"),
        "Who moved or dissolved which union, as long as a claim could be raised.",
    ),
    Transient("recovery_code", "new ones are made or the second factor is turned off", "At most ten an account."),
    Expiring(
        "reset_link",
        Days(MembershipTerms, "session_days"),
        "its end",
        rows_older("reset_link", "expires_at"),
        "A link works for a day at most; account_control remembers who made it, the audit log who used it.",
    ),
    Kept("saved_search", "What its account keeps until it deletes it; at most thirty each."),
    Expiring(
        "signed_in_session",
        Days(MembershipTerms, "session_days"),
        "its last use",
        rows_older("signed_in_session", "used_at"),
        "People look for sessions that are not theirs within weeks; the audit log keeps each sign-in.",
    ),
    Expiring(
        "sms_code",
        1,
        "the request",
        rows_older("sms_code", "issued_at"),
        "Codes are counted over a day.",
    ),
    Kept("transfer", "From where and by whose decision a member came; kept with the member."),
    Kept("union", "Every other record belongs to one."),
    Expiring(
        "used_captcha",
        0,
        "it expired",
        rows_older("used_captcha", "expires_at"),
        "Nothing accepts an expired one.",
    ),
)
