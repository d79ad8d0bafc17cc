"""What validation tells a restored service, and how it learns again the checks that its own database has forgotten."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from services.contracts.restores import KnownCheck, KnownFacts, facts_from_json, facts_to_json
from services.kit.data.bulk import is_any_of
from services.kit.data.repair import Learned
from services.kit.operations import audit
from services.kit.rpc.request import Caller
from services.validation.models import ApplicationCheck, CheckFinding, WaitingCheck

_UNKNOWN = "not_known_after_restore"


def tell(session: Session, _audience: str, ids: Sequence[str], _since: datetime) -> dict[str, Any]:
    """The newest checks of applications, for batching, which forgot their numbers."""
    newest = session.scalars(
        select(ApplicationCheck)
        .where(is_any_of(ApplicationCheck.application_id, map(UUID, ids)))
        .order_by(ApplicationCheck.application_id, ApplicationCheck.check_no.desc())
        .ext(distinct_on(ApplicationCheck.application_id))
    )
    checks = [
        KnownCheck(
            application_id=one.application_id,
            check_no=one.check_no,
            union_id=one.union_id,
            result=one.result,
            checked_at=one.checked_at,
        )
        for one in newest
    ]
    return facts_to_json(KnownFacts(checks=checks))


def learn(session: Session, document: dict[str, Any], _since: datetime, _operator: Caller | None) -> Learned:
    """Learns checks with the findings that batching shows; the rule and evidence of these are lost."""
    facts, learned = facts_from_json(document), Learned()
    changed = [one for one in facts.checks if _learn_check(session, one)]
    if changed:
        learned.done.append(f"{len(changed)} checks")
        learned.records += audit.references("application", (one.application_id for one in changed))
    if any(one.findings for one in changed):
        learned.left.append("of findings that were learned from batching the rules and the evidence are not known")
    return learned


def _learn_check(session: Session, known: KnownCheck) -> bool:
    check = session.get(ApplicationCheck, (known.application_id, known.check_no))
    if check is not None and check.result == known.result:
        return False
    if check is None:
        check = ApplicationCheck(
            application_id=known.application_id, check_no=known.check_no, union_id=known.union_id, result=known.result
        )
        session.add(check)
    check.result, check.checked_at = known.result, known.checked_at
    session.flush()
    session.execute(delete(WaitingCheck).where(WaitingCheck.application_id == known.application_id))
    _keep_findings(session, known)
    return True


def _keep_findings(session: Session, known: KnownCheck) -> None:
    these = (CheckFinding.application_id == known.application_id, CheckFinding.check_no == known.check_no)
    session.execute(delete(CheckFinding).where(*these))
    session.add_all(
        CheckFinding(
            application_id=known.application_id,
            check_no=known.check_no,
            position=position,
            rule=_UNKNOWN,
            rule_version="",
            evidence="{}",
            **finding,
        )
        for position, finding in enumerate(json.loads(known.findings or "[]"), 1)
    )
    session.flush()
