"""Applies results of system checks to current checks; results of older checks are ignored."""

import json
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Row, func, update
from sqlalchemy.orm import Session

from services.batching.event_builders import publish_pending_changed
from services.batching.models import Application
from services.batching.pending import personal_applications
from services.batching.pending.application_states import UNDER_CHECK, State
from services.batching.pending.pending import lock_pending
from services.batching.places import current_id, let_nobody_move
from services.contracts.events.validation import FindingFacts, MembersValidatedData
from services.kit.data.bulk import types_of, values_table
from services.kit.events.envelope import Event

_RESULT = types_of(Application, ("application_id", "check_no", "check_state", "findings", "checked_at"))


def members_validated(session: Session, event: Event[MembersValidatedData]) -> None:
    """Applies results of checks; personal applications then resume by themselves."""
    validated = event.data
    let_nobody_move(session)
    union_id = current_id(session, validated.union_id)
    lock_pending(session, union_id)
    taken = _take(session, validated)
    publish_pending_changed(session, union_id, "checked", sum(not row.personal for row in taken))
    personal_applications.resume(session, [row for row in taken if row.personal])


def _take(session: Session, validated: MembersValidatedData) -> Sequence[Row[UUID, bool, str]]:
    findings = _findings_by_application(validated.findings)
    results = values_table(
        "results",
        _RESULT,
        [
            (one.application_id, one.check_no, one.result, findings.get(one.application_id), one.checked_at)
            for one in validated.results
        ],
    ).c
    return session.execute(
        update(Application)
        .where(
            Application.application_id == results.application_id,
            Application.check_no == results.check_no,
            Application.state == State.QUEUED,
            Application.check_state.in_(UNDER_CHECK),
        )
        .values(
            check_state=results.check_state,
            findings=results.findings,
            checked_at=func.coalesce(results.checked_at, func.now()),
        )
        .returning(Application.application_id, Application.personal, Application.check_state)
        .execution_options(synchronize_session=False)
    ).all()


def _findings_by_application(findings: Sequence[FindingFacts]) -> dict[UUID, str]:
    """The findings that each application's entry shows, as JSON."""
    shown = defaultdict(list)
    for finding in findings:
        entry = {"code": finding.code, "severity": finding.severity, "message": finding.message}
        shown[finding.application_id].append(entry)
    return {application_id: json.dumps(entries, ensure_ascii=False) for application_id, entries in shown.items()}
