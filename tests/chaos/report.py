"""The report of a run as a Markdown document, for docs/chaos."""

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

from deploy.local.environment import ROOT
from tests.chaos.faults import InjectedFault
from tests.chaos.plan import FAIL_OVER, KINDS_OF_CLUSTER
from tests.chaos.promises import Verdict
from tests.chaos.run import Outcome
from tests.chaos.textbook.control import Promises
from tests.chaos.watch import Recovery

FOLDER = ROOT / "docs" / "chaos"
_MOST_VIOLATIONS = 40
_PACKAGES = ("nameko", "kombu", "amqp", "eventlet", "psycopg", "SQLAlchemy")


@dataclass(frozen=True)
class ControlFacts:
    """The parameters of a control run."""

    seed: int
    minutes: float
    nodes: Mapping[str, str]


def write(outcome: Outcome, minutes: float) -> Path:
    """Writes the document of a run; returns its path."""
    path = FOLDER / f"seed-{outcome.size.name}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(document(outcome, minutes))
    return path


def document(outcome: Outcome, minutes: float) -> str:
    """Returns the whole document."""
    size = outcome.size
    nodes = f" NODES={size.brokers}" if size.brokers > 1 else ""
    paragraphs = [
        f"# Chaos run, seed {size.seed}" + (f", {size.brokers} broker nodes" if nodes else ""),
        f"Made by `make chaos FAULTS={size.faults} MEMBERS={size.members} SEED={size.seed}{nodes}"
        f"{' STANDBY=yes' if size.has_standby else ''}` on "
        f"{datetime.now(UTC):%Y-%m-%d} in {minutes:.0f} minutes. {made_with(outcome.nodes)} "
        "[How to read it](README.md).",
        "## Verdict",
        _table(("", ""), _verdict(outcome)),
        *_violations(outcome),
        "## Promises",
        "Answers that clients got, each verified against the final state.",
        _table(("promise", "times"), sorted(outcome.verdict.promised.items())),
        "## Faults",
        f"{len(outcome.injected)} within {outcome.fault_seconds:.0f} s, {outcome.overlapping} of them while another "
        f"one lasted. {outcome.share_of_well:.0%} of all samples, one a second, found each process ready and each "
        "query answered. Recovery is the time, in seconds, from the end of a fault to the first sample that found its "
        "target working again, whatever other faults there were meanwhile: the processes of the program, or for a node "
        "or a simulator all processes and answers.",
        _table(
            ("fault", "times", "recovery: median", "95 %", "longest", "with another one"),
            [
                _recovery(outcome, kind.name)
                for kind in (*KINDS_OF_CLUSTER, FAIL_OVER)
                if kind.name in outcome.recoveries
            ],
        ),
        "## Traffic",
        _table(("", ""), _traffic(outcome)),
        "## Retries",
        _table(("", "times"), _retries(outcome)),
        "Refusals, which clerks get without any fault, too: " + _list(outcome.refusals) + ".",
        "## Dead letters",
        "Dead letters and rejected messages at the end, by queue and reason.",
        _table(("queue", "reason", "messages"), [(*key, count) for key, count in sorted(outcome.letters.items())]),
        "## Plan",
        "Drawn from the seed beforehand. `at` and `for` are in seconds; a fault that began later than planned waited "
        "for another one of the same node or simulator.",
        _table(
            ("at", "fault", "target", "for"),
            [(f"{one.at:.1f}", one.kind, one.target, f"{one.seconds:.1f}") for one in outcome.plan],
        ),
    ]
    return "\n\n".join(paragraphs) + "\n"


def write_control(verdict: Verdict, promises: Promises, injected: Sequence[InjectedFault], facts: ControlFacts) -> Path:
    """Writes the document of the control; returns its path."""
    path = FOLDER / "control.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(control_document(verdict, promises, injected, facts))
    return path


def control_document(
    verdict: Verdict, promises: Promises, injected: Sequence[InjectedFault], facts: ControlFacts
) -> str:
    """Returns the document on what the same faults do to textbook services."""
    kinds = Counter(one.fault.kind for one in injected)
    found = [
        ("applications promised to clients (201)", len(promises.queued)),
        ("requests repeated", promises.retries),
        ("**lost**", f"**{len(verdict.lost)}**"),
        ("**duplicated**", f"**{len(verdict.duplicated)}**"),
    ]
    paragraphs = [
        "# Control: a textbook's services under the same faults",
        f"Made by `make chaos-control FAULTS={len(injected)} SEED={facts.seed}` on {datetime.now(UTC):%Y-%m-%d} in "
        f"{facts.minutes:.1f} minutes. {made_with(facts.nodes)} [How to read it](README.md).",
        "Two services, written as in a tutorial on Nameko (`tests/chaos/textbook/services.py`): one commits an "
        "application and then dispatches its event, the other one lists it by a default `@event_handler`. Eight "
        "clients queue applications and repeat unanswered requests.",
        _table(("", ""), found),
        "Faults: " + _list(kinds) + ".",
        "The first applications of each kind:",
        "\n".join(f"- lost: {one}" for one in verdict.lost[:5]),
        "\n".join(f"- duplicated: {one}" for one in verdict.duplicated[:5]),
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def made_with(nodes: Mapping[str, str]) -> str:
    """Returns one sentence on the machine and the versions."""
    packages = [f"{name} {version(name)}" for name in _PACKAGES]
    parts = [
        f"{os.cpu_count()} cores",
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB of memory",
        f"Python {platform.python_version()}",
        *(f"{name} {number}" for name, number in nodes.items()),
        *packages,
    ]
    return f"Machine: {', '.join(parts)}."


def _verdict(outcome: Outcome) -> list[tuple[str, object]]:
    return [
        ("lost", len(outcome.verdict.lost)),
        ("duplicated", len(outcome.verdict.duplicated)),
        ("invariants broken", len(outcome.invariants)),
        ("answers that no client may get", outcome.findings.total()),
        ("clients that could not finish", len(outcome.troubles)),
        ("clients had finished after the last fault", f"{outcome.working_seconds:.1f} s"),
        (
            "no message was on its way after the last fault",
            f"{outcome.rest_seconds:.1f} s" if not outcome.unfinished else "never",
        ),
    ]


def _violations(outcome: Outcome) -> list[str]:
    lines = [f"- {one}" for one in outcome.violations[:_MOST_VIOLATIONS]]
    return ["## Violations", "\n".join(lines)] if lines else []


def _recovery(outcome: Outcome, kind: str) -> tuple[object, ...]:
    one: Recovery = outcome.recoveries[kind]
    return (
        kind,
        one.count,
        f"{one.middle:.1f}",
        f"{one.most:.1f}",
        f"{one.longest:.1f}",
        sum(outcome.overlaps(injected) for injected in outcome.injected if injected.fault.kind == kind),
    )


def _traffic(outcome: Outcome) -> list[tuple[str, object]]:
    seconds = outcome.fault_seconds + outcome.rest_seconds
    promised, counted = outcome.verdict.promised, outcome.counted
    handled = counted.get("messages_handled", 0)
    return [
        ("unions with a clerk", outcome.size.clerks),
        ("requests answered", f"{outcome.requests} ({outcome.requests / seconds:.0f} a second)"),
        ("applications", promised["applications queued"] + promised["applications on the phone"]),
        ("batches", promised["batches submitted"]),
        ("bank results sent, with intermediate steps and late cards", outcome.results_sent),
        ("events handled", f"{handled} ({handled / seconds:.0f} a second)"),
        ("events and bank messages published", counted.get("outbox_published", 0)),
        ("text messages sent", promised["text messages sent"]),
        ("processes restarted", outcome.restarts.total()),
    ]


def _retries(outcome: Outcome) -> list[tuple[str, object]]:
    logged, counted = outcome.logged, outcome.counted
    return [
        *((f"by clients: {why}", count) for why, count in sorted(outcome.retries.items())),
        ("by the gateway: no answer from a service within the deadline", logged["no_answer"]),
        ("by consumers: a message delivered again by the broker", counted.get("messages_redelivered", 0)),
        ("by consumers: an attempt that failed", logged["handling_failed"]),
        ("by consumers: a message moved to a retry or dead-letter queue", logged["message_moved"]),
        ("by consumers: connection lost", logged["broker_lost"]),
        ("by relays: broker away", logged["broker_away"]),
        ("by relays: database or broker lost", logged["relay_interrupted"]),
        ("by checks: the registry did not answer", logged["registry_away"]),
        ("by notification: a text message not accepted", logged["sms_not_sent"]),
    ]


def _list(counts: Counter[str]) -> str:
    return ", ".join(f"{what} ({count})" for what, count in sorted(counts.items())) or "none"


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
