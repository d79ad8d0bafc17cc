"""Personal applications 个人办卡: checked and submitted by themselves, each as a batch of one."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from services.batching.application_states import Check
from services.batching.checks import ask_for_checks
from services.batching.models import Application, Outlet, PersonalApplication
from services.batching.pending import remove
from services.batching.persons import facts_of
from services.batching.submission import Submission, form_batch
from services.common.rowsets import is_among

NATIONALITY = "CHN"
"""Only holders of a resident ID card apply for themselves, and only citizens hold one."""


def begin(session: Session, told: dict[str, Any], application_ids: Sequence[UUID]) -> None:
    """Keeps what the member chose and asks for the check; an outlet that there is not ends the application at once."""
    union, choice = told["union"], told["personal_application"]
    session.add_all(
        PersonalApplication(
            application_id=application_id,
            applied_by=told["queued_by"],
            outlet_code=choice["outlet_code"],
            union_code=union["code"],
            union_name=union["name"],
            superior_union_id=union["superior_union_id"],
        )
        for application_id in application_ids
    )
    these = is_among(Application.application_id, application_ids)
    session.execute(update(Application).where(these, Application.nationality.is_(None)).values(nationality=NATIONALITY))
    if session.get(Outlet, choice["outlet_code"]) is None:
        remove(session, union["union_id"], "incomplete", these)
    else:
        ask_for_checks(session, union["union_id"], these)


def go_on(session: Session, checked: Sequence[Any]) -> None:
    """Submits those that passed the check and removes those that failed; who waits for the registry waits on."""
    by_result = {
        result: [row.application_id for row in checked if row.check_state == result]
        for result in (Check.PASSED, Check.FAILED)
    }
    for application in _load(session, by_result[Check.FAILED]):
        this = Application.application_id == application.application_id
        remove(session, application.union_id, "check_failed", this)
    for application in _load(session, by_result[Check.PASSED]):
        _submit(session, application)


def _load(session: Session, application_ids: Sequence[UUID]) -> Sequence[Application]:
    return session.scalars(select(Application).where(is_among(Application.application_id, application_ids))).all()


def _submit(session: Session, application: Application) -> None:
    chosen = session.get_one(PersonalApplication, application.application_id)
    submission = Submission(
        union_id=application.union_id,
        union_code=chosen.union_code,
        union_name=chosen.union_name,
        superior_union_id=chosen.superior_union_id,
        channel=application.channel,
        outlet=session.get_one(Outlet, chosen.outlet_code),
        contact_name=application.name,
        contact_phone=facts_of(application)["phone"] or "",
        submitted_by=chosen.applied_by,
        personal=True,
    )
    form_batch(session, submission, [application])
