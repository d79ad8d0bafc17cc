"""Publishes checks as they ended, for the reports: when they end, and for a rebuild."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from services.contracts.events.validation import CHECKS_COUNTED, ChecksCountedData, CountedCheck
from services.contracts.shared import CodedName
from services.kit.data.bulk import is_any_of
from services.kit.data.facts import Page
from services.kit.events.contract import MESSAGE_SIZE, in_chunks
from services.kit.events.outbox import publish
from services.validation.models import ApplicationCheck, CheckFinding
from services.validation.rules import RULES

_TITLES = {rule.id: rule.title for rule in RULES}


def publish_counted(session: Session, checks: Sequence[CountedCheck], rebuild_id: UUID | None = None) -> None:
    """Publishes checks that ended, with the titles of the rules that were not met."""
    for part in in_chunks(checks):
        rules = sorted({rule for check in part for rule in check.rules})
        names = [CodedName(kind="rule", code=rule, name=_TITLES.get(rule, rule)) for rule in rules]
        publish(session, CHECKS_COUNTED, ChecksCountedData(checks=list(part), names=names, rebuild_id=rebuild_id))


def publish_page(session: Session, after: str | None, rebuild_id: UUID) -> Page:
    """Publishes the newest ended checks of the next applications, for a rebuild of the reports.

    Checks of an earlier release keep from now on which rules were not met.
    """
    newest = (
        select(ApplicationCheck)
        .where(ApplicationCheck.result.in_(("passed", "failed")), ApplicationCheck.checked_at.is_not(None))
        .order_by(ApplicationCheck.application_id, ApplicationCheck.check_no.desc())
        .ext(distinct_on(ApplicationCheck.application_id))
        .limit(MESSAGE_SIZE)
    )
    if after is not None:
        newest = newest.where(ApplicationCheck.application_id > UUID(after))
    checks = session.scalars(newest).all()
    if not checks:
        return Page(None, 0)
    _store_rules(session, [check for check in checks if check.rules is None])
    counted = [
        CountedCheck(
            application_id=check.application_id,
            union_id=check.union_id,
            check_no=check.check_no,
            result=check.result,
            checked_at=check.checked_at,  # type: ignore[arg-type]
            rules=(check.rules or "").split(),
        )
        for check in checks
    ]
    publish_counted(session, counted, rebuild_id)
    return Page(str(checks[-1].application_id), 1)


def _store_rules(session: Session, checks: Sequence[ApplicationCheck]) -> None:
    """Stores which rules were not met, as far as there are findings."""
    errors = select(CheckFinding.application_id, CheckFinding.check_no, CheckFinding.rule).where(
        is_any_of(CheckFinding.application_id, [check.application_id for check in checks]),
        CheckFinding.severity == "error",
    )
    rules: defaultdict[tuple[UUID, int], set[str]] = defaultdict(set)
    for application_id, check_no, rule in session.execute(errors):
        rules[application_id, check_no].add(rule)
    for check in checks:
        check.rules = " ".join(sorted(rules[check.application_id, check.check_no]))


FACTS = (publish_page,)
"""What the service publishes for a rebuild of the reports."""
