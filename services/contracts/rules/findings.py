"""Rules and findings: the types that all rules on a person use."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

Severity = Literal["error", "warning", "info"]
Sex = Literal["male", "female"]


def passed(findings: "Iterable[Finding]") -> bool:
    """Whether a person with these findings passes: none is an error."""
    return not any(errors_of(findings))


def errors_of(findings: "Iterable[Finding]") -> "Iterator[Finding]":
    """The findings of severity error, with which a person does not pass."""
    return (finding for finding in findings if finding.severity == "error")


def shown_message(code: str, message: str) -> str:
    """A finding's message for display beside a masked number: without dates and digits that reveal hidden ones."""
    return _QUOTED.sub(lambda found: "*" * len(found.group()), message) if code in _QUOTING else message


def shown_evidence(evidence: dict[str, str]) -> dict[str, str]:
    """A finding's evidence for display beside a masked number: without values that reveal birth date or sex."""
    return {name: value for name, value in evidence.items() if name not in _TELLING}


_QUOTING = frozenset(
    {
        *("county_unknown", "birth_date_invalid", "birth_date_differs", "working_by_registry"),
        *("working_by_calculation", "retired_by_registry", "retired_by_calculation"),
    }
)
"""Codes whose messages quote, or in earlier releases quoted, hidden parts of a masked number."""
_QUOTED = re.compile("[0-9]{4}-[0-9]{2}(?:-[0-9]{2})?|(?<=“)[0-9]+(?=”)")
_TELLING = frozenset(
    {
        *("birth_date", "birth_month", "age", "sex", "in_number", "in_form", "region", "expected"),
        *("retirement_month", "flexible_window", "date"),
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a rule on a person.

    `message` is Chinese and says what to do; `evidence` holds what is needed to check the finding by hand. Both may
    hold personal data. A person with a finding of severity `error` does not pass.
    """

    rule: str
    rule_version: str
    code: str
    severity: Severity
    message: str
    evidence: dict[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its source. `version` changes whenever the rule may judge the same person differently."""

    id: str
    version: str
    title: str
    source: str
    in_force_from: date

    def error(self, code: str, message: str, **evidence: str) -> Finding:
        """A finding with which the person does not pass."""
        return Finding(self.id, self.version, code, "error", message, evidence)

    def warning(self, code: str, message: str, **evidence: str) -> Finding:
        """A finding that a person should review."""
        return Finding(self.id, self.version, code, "warning", message, evidence)

    def info(self, code: str, message: str, **evidence: str) -> Finding:
        """A finding that explains the rule's judgement."""
        return Finding(self.id, self.version, code, "info", message, evidence)
