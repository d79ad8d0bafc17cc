"""Queued members come onto the pending list, each on the channel that the document and the name call for."""

from typing import Any

from sqlalchemy.orm import Session

from services.batching import personal_applications
from services.batching.channels import channel_for
from services.batching.models import Application
from services.batching.pending import LISTING_CHARSET, tell_channel
from services.batching.persons import stored
from services.batching.telling import tell_pending_changed
from services.common.messaging.subscribe import Reject
from services.common.rowsets import insert_rows

SPECIAL = "special"


def list_queued(session: Session, told: dict[str, Any]) -> None:
    """Takes what `members_queued` tells; those that are listed already stay as they are."""
    persons = {person["application_id"]: person for person in told["persons"]}
    applications = told["applications"]
    if persons.keys() != {application["application_id"] for application in applications}:
        raise Reject("The applications and the persons are not the same.")
    rows = [_entry(told, application, persons[application["application_id"]]) for application in applications]
    listed = session.execute(
        insert_rows(Application, rows)
        .on_conflict_do_nothing()
        .returning(Application.application_id, Application.member_id, Application.version, Application.channel)
    ).all()
    tell_channel(session, told["union"]["union_id"], SPECIAL, [row for row in listed if row.channel == SPECIAL])
    if told["personal_application"]:
        personal_applications.begin(session, told, [row.application_id for row in listed])
    else:
        tell_pending_changed(session, told["union"]["union_id"], "queued", len(listed))


def _entry(told: dict[str, Any], application: dict[str, Any], person: dict[str, Any]) -> dict[str, Any]:
    choice = channel_for(person["document_type"], person["name"], LISTING_CHARSET)
    return {
        **stored(person),
        "application_id": application["application_id"],
        "member_id": application["member_id"],
        "member_no": application["member_no"],
        "union_id": told["union"]["union_id"],
        "personal": told["personal_application"] is not None,
        "listed_at": told["queued_at"],
        "channel": choice.channel,
        "channel_reason": choice.reason,
        # The channel of an application is ordinary until told otherwise: the special one is its first step.
        "version": 1 if choice.channel == SPECIAL else 0,
    }
