"""The judgement of a check: passed, failed, or waiting for the registry."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from services.contracts.rules.findings import Finding
from services.validation import retirement
from services.validation.rules import Person, RegistryAnswer, check_person, passed

Result = Literal["passed", "failed", "waiting"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The result for one person and its findings; a waiting result has none."""

    result: Result
    findings: tuple[Finding, ...]


def judge(person: Person, answer: RegistryAnswer | None, today: date) -> Judgement:
    """The judgement of the rules in force. Without the registry's answer (None) nobody passes.

    A person who fails by the other rules fails whatever the registry answers; the others wait for it.
    """
    findings = check_person(person, answer, today)
    if passed(findings):
        return Judgement("passed", findings)
    if answer is None and passed(_without_registry(findings)):
        return Judgement("waiting", ())
    return Judgement("failed", findings)


def _without_registry(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if finding.rule != retirement.REGISTRY.id)
