"""Checks of applications: requested, judged, stored and published; resumed when the registry is back.

The registry is called within the transaction that holds the inbox row and the results, so that both commit together.
The client's deadline limits that to some seconds; only rows of resumed waiting checks are locked meanwhile, and other
processes skip them.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from services.contracts.events.batching import ValidationRequestedData
from services.contracts.events.validation import (
    MEMBERS_VALIDATED,
    CheckResult,
    CountedCheck,
    FindingFacts,
    MembersValidatedData,
)
from services.contracts.masks import mask_document
from services.contracts.operations.validation import (
    CheckAnswer,
    FindingAnswer,
    GetCheckRequest,
    GroundAnswer,
    ListRulesRequest,
    RuleAnswer,
    RulesAnswer,
)
from services.contracts.rules.documents import FORM
from services.contracts.rules.evidence import in_chinese
from services.contracts.rules.findings import Finding, shown_evidence, shown_message
from services.contracts.shared import PersonFacts
from services.contracts.values import InvalidValue, clean_document_number, today
from services.kit.data.bulk import insert_rows
from services.kit.events.envelope import correlation
from services.kit.events.failures import Reject
from services.kit.events.outbox import publish
from services.kit.operations import audit
from services.kit.problems import NotFound
from services.kit.rpc.work import Work
from services.kit.schemas import schema_of
from services.validation.facts import publish_counted
from services.validation.judgements import Judgement, judge
from services.validation.mergers import is_of
from services.validation.models import ApplicationCheck, CheckFinding, WaitingCheck
from services.validation.registry import Registry, RegistryQuery
from services.validation.rules import RULES, Person

CHUNK = 500
"""How many waiting checks are resumed in one transaction."""

WAITING_REASON = "退休登记系统暂时没有应答，恢复后自动继续校验，无需重新提交"
_PERSON_FIELDS = tuple(one.name for one in fields(Person))
_PERSON = schema_of(Person)()
_RULES = {rule.id: rule for rule in RULES}


_UNREADABLE = Judgement(
    "failed", (FORM.error("person_unreadable", "会员资料无法读取，请移除后更正资料重新添加至待办"),)
)


@dataclass(frozen=True)
class Check:
    """A check to carry out: its number, the person, and the correlation id of its request.

    `person` is None where the request lacks it.
    """

    application_id: UUID
    check_no: int
    union_id: UUID
    person: Person | None
    correlation_id: str | None

    @property
    def ref(self) -> str:
        """The reference in calls to the registry, which may hold two checks of one application."""
        return f"{self.application_id}/{self.check_no}"


@dataclass(frozen=True)
class JudgedCheck:
    """A check and its judgement."""

    check: Check
    judgement: Judgement
    judged_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def checked_at(self) -> datetime | None:
        """When the check ended."""
        return None if self.is_waiting else self.judged_at

    @property
    def is_waiting(self) -> bool:
        """Whether the registry's answer is still missing."""
        return self.judgement.result == "waiting"

    @property
    def rules(self) -> list[str]:
        """The rules that were not met."""
        return sorted({finding.rule for finding in self.judgement.findings if finding.severity == "error"})


def run_checks(session: Session, registry: Registry, request: ValidationRequestedData) -> None:
    """Carries out the requested checks and publishes every result.

    A person who fails by the rules alone gets the result at once even when the registry is away; the others wait,
    which is published once, and `resume_waiting` resumes them. A check older than a known one is skipped as stale.
    """
    checks = _requested_checks(request)
    newest = _newest_known(session, checks)
    judged = _judge(registry, [check for check in checks if check.check_no > newest.get(check.application_id, 0)])
    if not judged:
        return
    _end_waiting(session, newest.keys() & {one.check.application_id for one in judged})
    session.execute(insert_rows(ApplicationCheck, [_check_row(one) for one in judged]))
    _keep_findings(session, judged)
    _store_waiting(session, registry, judged)
    _publish(session, judged)


def resume_waiting(session: Session, registry: Registry) -> int:
    """Calls the registry again for up to CHUNK due waiting checks; stores and publishes decided ones.

    Several processes may do so at once: each takes rows that no other has locked. Returns how many were decided.
    """
    due = _due(session)
    judged = _judge(registry, [_waiting_check(row) for row in due])
    for row, one in zip(due, judged, strict=True):
        if one.is_waiting:
            row.tries += 1
            row.next_try_at = _next_try(registry, row.tries)
        else:
            session.delete(row)
    decided = [one for one in judged if not one.is_waiting]
    if decided:
        session.execute(update(ApplicationCheck), [_check_row(one) for one in decided])
        _keep_findings(session, decided)
        _publish(session, decided)
    return len(decided)


def publish_results(session: Session, application_ids: Sequence[UUID], recipient: str) -> list[UUID]:
    """Publishes the newest check of each application for one consumer that lacks it; returns the applications found."""
    newest = session.scalars(
        select(ApplicationCheck)
        .where(ApplicationCheck.application_id.in_(application_ids))
        .order_by(ApplicationCheck.application_id, ApplicationCheck.check_no.desc())
        .ext(distinct_on(ApplicationCheck.application_id))
    ).all()
    for check in newest:
        result = CheckResult(
            application_id=check.application_id,
            check_no=check.check_no,
            result=check.result,
            checked_at=check.checked_at,
        )
        kept = select(CheckFinding).where(
            CheckFinding.application_id == check.application_id, CheckFinding.check_no == check.check_no
        )
        findings = [
            FindingFacts(application_id=check.application_id, **_facts(finding))
            for finding in session.scalars(kept.order_by(CheckFinding.position))
        ]
        data = MembersValidatedData(union_id=check.union_id, results=[result], findings=findings)
        publish(session, MEMBERS_VALIDATED, data, subject=str(check.union_id), recipient=recipient)
    return [check.application_id for check in newest]


def get_check(work: Work, request: GetCheckRequest) -> CheckAnswer:
    """The newest check of an application of the caller's union, with masked document numbers; the call is recorded.

    Raises NotFound.
    """
    session, application_id = work.session, request.application_id
    audit.record(session, ("application", application_id))
    check = session.scalar(
        select(ApplicationCheck)
        .where(ApplicationCheck.application_id == application_id, is_of(UUID(work.caller.union_id)))
        .order_by(ApplicationCheck.check_no.desc())
        .limit(1)
    )
    if check is None:
        raise NotFound(title="未找到该会员的校验记录", detail="请先提交系统校验。")
    waiting = session.get(WaitingCheck, (check.application_id, check.check_no))
    findings = session.scalars(
        select(CheckFinding)
        .where(CheckFinding.application_id == check.application_id, CheckFinding.check_no == check.check_no)
        .order_by(CheckFinding.position)
    )
    return CheckAnswer(
        application_id=check.application_id,
        check_no=check.check_no,
        result=check.result,
        checked_at=check.checked_at,
        findings=[_finding_answer(finding) for finding in findings],
        waiting_reason=WAITING_REASON if waiting else None,
        next_try_at=waiting.next_try_at if waiting else None,
    )


def list_rules(_work: Work, _request: ListRulesRequest) -> RulesAnswer:
    """The rules in force."""
    return RulesAnswer(
        items=[
            RuleAnswer(
                rule=rule.id,
                version=rule.version,
                title=rule.title,
                source=rule.source,
                in_force_from=rule.in_force_from,
            )
            for rule in RULES
        ]
    )


def _requested_checks(request: ValidationRequestedData) -> list[Check]:
    persons = {facts.application_id: facts for facts in request.persons}
    check_nos = {one.application_id: one.check_no for one in request.applications}
    if not persons.keys() <= check_nos.keys():
        raise Reject("there are persons of other applications")
    return [
        Check(application_id, check_no, request.union_id, _person(persons.get(application_id)), correlation.get())
        for application_id, check_no in check_nos.items()
    ]


def _person(facts: PersonFacts | None) -> Person | None:
    if facts is None:
        return None
    return Person(**{name: getattr(facts, name) for name in _PERSON_FIELDS})


def _newest_known(session: Session, checks: Sequence[Check]) -> dict[UUID, int]:
    """The newest known check number of each application that was checked before."""
    taken = (
        select(ApplicationCheck.application_id, func.max(ApplicationCheck.check_no))
        .where(ApplicationCheck.application_id.in_([check.application_id for check in checks]))
        .group_by(ApplicationCheck.application_id)
    )
    return dict(session.execute(taken).all())


def _end_waiting(session: Session, applications: Collection[UUID]) -> None:
    """Ends the waiting of older checks of these applications."""
    if applications:
        session.execute(delete(WaitingCheck).where(WaitingCheck.application_id.in_(applications)))


def _due(session: Session) -> Sequence[WaitingCheck]:
    return session.scalars(
        select(WaitingCheck)
        .where(WaitingCheck.next_try_at <= func.now())
        .order_by(WaitingCheck.next_try_at)
        .limit(CHUNK)
        .with_for_update(skip_locked=True)
    ).all()


def _waiting_check(row: WaitingCheck) -> Check:
    person = _PERSON.loads(row.person)
    return Check(row.application_id, row.check_no, row.union_id, person, row.correlation_id)


def _judge(registry: Registry, checks: Sequence[Check]) -> list[JudgedCheck]:
    """Judges checks; the registry is called also for persons who fail anyway: the clerk sees all errors at once."""
    answers = registry.query([_registry_query(check.ref, check.person) for check in checks if check.person])
    day = today()
    return [
        JudgedCheck(check, judge(check.person, answers.get(check.ref), day) if check.person else _UNREADABLE)
        for check in checks
    ]


def _registry_query(ref: str, person: Person) -> RegistryQuery:
    try:
        number = clean_document_number(person.document_number)
    except InvalidValue:
        number = person.document_number  # the rules report what is wrong with it
    return RegistryQuery(ref, person.name, number)


def _check_row(one: JudgedCheck) -> dict[str, Any]:
    return {
        "application_id": one.check.application_id,
        "check_no": one.check.check_no,
        "union_id": one.check.union_id,
        "result": one.judgement.result,
        "checked_at": one.checked_at,
        "rules": " ".join(one.rules),
    }


def _keep_findings(session: Session, judged: Iterable[JudgedCheck]) -> None:
    rows = [
        {
            "application_id": one.check.application_id,
            "check_no": one.check.check_no,
            "position": position,
            **_facts(finding),
            "evidence": json.dumps(finding.evidence, ensure_ascii=False),
        }
        for one in judged
        for position, finding in enumerate(one.judgement.findings)
    ]
    if rows:
        session.execute(insert_rows(CheckFinding, rows))


def _store_waiting(session: Session, registry: Registry, judged: Sequence[JudgedCheck]) -> None:
    """Stores the checks that wait for the registry."""
    rows = [
        {
            "application_id": one.check.application_id,
            "check_no": one.check.check_no,
            "union_id": one.check.union_id,
            "person": _PERSON.dumps(one.check.person, ensure_ascii=False),
            "correlation_id": one.check.correlation_id,
            "tries": 1,
            "next_try_at": _next_try(registry, 1),
        }
        for one in judged
        if one.is_waiting
    ]
    if rows:
        session.execute(insert_rows(WaitingCheck, rows))


def _next_try(registry: Registry, tries: int) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=registry.backoff_after(tries))


def _publish(session: Session, judged: Iterable[JudgedCheck]) -> None:
    """Publishes one event for each union and request, with the request's correlation id even if the check waited."""
    groups = defaultdict(list)
    for one in judged:
        groups[one.check.union_id, one.check.correlation_id].append(one)
    for (union_id, correlation_id), group in groups.items():
        before = correlation.set(correlation_id)
        publish(session, MEMBERS_VALIDATED, _members_validated(union_id, group), subject=str(union_id))
        publish_counted(session, [_counted(one) for one in group if not one.is_waiting])
        correlation.reset(before)


def _counted(one: JudgedCheck) -> CountedCheck:
    return CountedCheck(
        application_id=one.check.application_id,
        union_id=one.check.union_id,
        check_no=one.check.check_no,
        result=one.judgement.result,
        checked_at=one.judged_at,
        rules=one.rules,
    )


def _members_validated(union_id: UUID, judged: Iterable[JudgedCheck]) -> MembersValidatedData:
    results, findings = [], []
    for one in judged:
        application_id = one.check.application_id
        results.append(
            CheckResult(
                application_id=application_id,
                check_no=one.check.check_no,
                result=one.judgement.result,
                checked_at=one.checked_at,
            )
        )
        findings += [FindingFacts(application_id=application_id, **_facts(found)) for found in one.judgement.findings]
    return MembersValidatedData(union_id=union_id, results=results, findings=findings)


def _finding_answer(finding: CheckFinding) -> FindingAnswer:
    evidence: dict[str, str] = json.loads(finding.evidence)
    if "number" in evidence:
        evidence["number"] = mask_document(evidence["number"])
    message = shown_message(finding.code, finding.message)
    shown = shown_evidence(evidence)
    rule = _RULES.get(finding.rule)
    return FindingAnswer(
        **{**_facts(finding), "message": message},
        rule_title=rule.title if rule else finding.rule,
        rule_source=rule.source if rule else "",
        evidence=shown,
        grounds=[GroundAnswer(title=title, value=value) for title, value in in_chinese(shown)],
    )


def _facts(finding: Finding | CheckFinding) -> dict[str, str]:
    """A finding without its evidence."""
    return {name: getattr(finding, name) for name in ("rule", "rule_version", "code", "severity", "message")}
