"""What a rule is and what it finds: the terms in which all rules on a person speak."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

Severity = Literal["error", "warning", "info"]
Sex = Literal["male", "female"]


def passed(findings: "Iterable[Finding]") -> bool:
    """Whether a person with these findings passes: warnings do not stand in the way."""
    return not any(errors_of(findings))


def errors_of(findings: "Iterable[Finding]") -> "Iterator[Finding]":
    """The findings that keep a person from passing."""
    return (finding for finding in findings if finding.severity == "error")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule found about a person.

    `message` is Chinese and says what to do; `evidence` holds what is needed to check the finding by hand. Both may
    hold personal data. Only the severity `error` keeps the person from passing.
    """

    rule: str
    rule_version: str
    code: str
    severity: Severity
    message: str
    evidence: dict[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule with its source. `version` changes whenever the rule can judge the same person differently."""

    id: str
    version: str
    title: str
    source: str
    in_force_from: date

    def error(self, code: str, message: str, **evidence: str) -> Finding:
        """A finding that keeps the person from passing."""
        return Finding(self.id, self.version, code, "error", message, evidence)

    def warning(self, code: str, message: str, **evidence: str) -> Finding:
        """A finding that someone should look at."""
        return Finding(self.id, self.version, code, "warning", message, evidence)

    def info(self, code: str, message: str, **evidence: str) -> Finding:
        """A finding that tells how the rule came to its judgement."""
        return Finding(self.id, self.version, code, "info", message, evidence)
