"""The long overload run: `python -m tests.chaos.pressure_run --members 20000` writes docs/chaos/pressure.md.

The exit status is 1 if there are violations.
"""

import argparse
import sys
import time
from datetime import UTC, datetime
from statistics import quantiles

from deploy.local.environment import ROOT
from tests.chaos.pressure import (
    MOST_MEGABYTES,
    QUICK_MILLISECONDS,
    RESULTS_AN_APPLICATION,
    SLOW_MILLISECONDS,
    Outcome,
    Size,
    Stage,
    run_pressure,
)
from tests.chaos.report import FOLDER, made_with

_MOST_QUEUES = 3


def main() -> int:
    """Runs what the arguments say."""
    parser = argparse.ArgumentParser(description="Put a system under more than there is room for.")
    parser.add_argument("--members", type=int, default=20_000)
    asked = parser.parse_args()
    began = time.monotonic()
    outcome = run_pressure(Size(asked.members), ROOT / ".local" / "chaos-pressure")
    path = FOLDER / "pressure.md"
    path.write_text(_document(outcome, (time.monotonic() - began) / 60))
    print(f"written: {path.relative_to(ROOT)}")
    wrong = [*outcome.violations, *outcome.heavy]
    for violation in wrong:
        print(violation)
    return 1 if wrong else 0


def _document(outcome: Outcome, minutes: float) -> str:
    size = outcome.size
    stages = "".join(map(_row, outcome.stages))
    memory = "".join(_memory(program, outcome.stages) for program in outcome.stages[0].megabytes)
    queues = "".join(map(_queues, outcome.stages[1:]))
    broken = "".join(f"- {one}\n" for one in outcome.violations) or "No violations.\n"
    return f"""# Pressure

Made by `make pressure MEMBERS={size.members}` on {datetime.now(UTC):%Y-%m-%d} in {minutes:.0f} minutes; another run
writes it anew. {made_with(outcome.nodes)}

A system of its own, one process of each service, with {size.members:,} queued members of one union, is put under one
kind of pressure after another. Meanwhile a client requests lists of members, entries, batches and messages in turn,
without pauses: each response has the requested list, or is 503 with `Retry-After`. A pressure is over when all queues
and outboxes are empty and no text message waits.

- **Nothing**: the baseline.
- **A registry 100 times slower**: {SLOW_MILLISECONDS / 1000:g} s a call instead of {QUICK_MILLISECONDS / 1000:g} s, \
for {size.slow_seconds:g} s, while all {size.members:,} are checked.
- **All results at once**: accepted, made and issued for {outcome.passed:,} persons, each sent twice: \
{RESULTS_AN_APPLICATION * outcome.passed:,} results in {_messages(outcome.passed):,} messages, as fast as the bank \
can send.
- **A broker that accepts nothing**: its memory alarm is on for {size.alarm_seconds:g} s, while a clerk registers \
members. Requests cannot be answered meanwhile; each gets 503 within its deadline.

| pressure | lasted | caught up after it | answers | 503 | median | 95 % | slowest response |
| --- | --- | --- | --- | --- | --- | --- | --- |
{stages}
Cards issued: {outcome.issued:,} of {outcome.passed:,}. {broken}
## Most memory of each process, in MB (bound: {MOST_MEGABYTES})

| process |{"".join(f" {stage.name} |" for stage in outcome.stages)}
| --- |{" --- |" * len(outcome.stages)}
{memory}
## Queues

The largest numbers of waiting messages.

| pressure | messages |
| --- | --- |
{queues}"""


def _row(stage: Stage) -> str:
    middle, late = _quantiles(stage.answers)
    return (
        f"| {stage.name} | {stage.seconds:.1f} s | {stage.catch_up_seconds:.1f} s | {len(stage.answers):,} | "
        f"{stage.busy:,} | {middle} | {late} | {stage.slowest:.1f} s |\n"
    )


def _quantiles(answers: list[float]) -> tuple[str, str]:
    if len(answers) < 2:
        return "–", "–"
    of_twenty = quantiles(answers, n=20)
    return f"{1000 * of_twenty[9]:.0f} ms", f"{1000 * of_twenty[18]:.0f} ms"


def _memory(program: str, stages: list[Stage]) -> str:
    return f"| {program} |{''.join(f' {stage.megabytes[program]:.0f} |' for stage in stages)}\n"


def _queues(stage: Stage) -> str:
    most = ", ".join(f"{name}: {depth:,}" for name, depth in stage.deepest.most_common(_MOST_QUEUES))
    return f"| {stage.name} | {most} |\n"


def _messages(persons: int) -> int:
    return 2 * (2 * -(-persons // 200) + persons)


if __name__ == "__main__":
    sys.exit(main())
