"""The report of a poison run, as a Markdown document."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from deploy.local.environment import ROOT
from tests.chaos.poison import Poison
from tests.chaos.poisoning import EVERY, WAVE, PoisonOutcome

DOCUMENT = ROOT / "docs" / "chaos" / "poison.md"


def write(
    outcome: PoisonOutcome,
    messages: int,
    megabytes: tuple[float, float, float],
    pile: Sequence[Poison],
    most_megabytes: int,
) -> None:
    """Writes the document."""
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(_document(outcome, messages, megabytes, pile, most_megabytes))


def _document(
    outcome: PoisonOutcome,
    messages: int,
    megabytes: tuple[float, float, float],
    pile: Sequence[Poison],
    most_megabytes: int,
) -> str:
    rejected = sum(outcome.rejected.values())
    before, while_fed, at_the_end = megabytes
    piled = ", ".join(f"{count} of {kind}" for kind, count in Counter(one.kind for one in pile).items())
    return f"""# Poison

Made by `make poison MESSAGES={messages}` on {datetime.now(UTC):%Y-%m-%d}; another run writes it anew. The messages are
drawn by hypothesis and are the same in each run (`tests/chaos/poison.py`).

A process of batching with its own broker and database was sent {messages:,} messages that no working bank sends,
{WAVE} at a time, and a valid result after every {EVERY} of them; then, while the process was suspended, many more at
once: {piled}.

| | |
|---|---|
| sent | {sum(outcome.sent.values()):,} messages, {outcome.megabytes:,.0f} MB |
| applied, or known already | {outcome.taken:,}, of which {outcome.in_part:,} in part: \
their wrong results were rejected |
| rejected with a reason | {rejected:,} |
| neither, or both | {sum(outcome.sent.values()) - outcome.taken - rejected} |
| valid results sent, applied once | {outcome.true_results:,}, {outcome.true_results:,} |
| longest time from sending a valid result to its commit | {outcome.slowest_seconds:.1f} s, behind up to {WAVE} others |
| rate | {messages / outcome.seconds:,.0f} messages a second, sending and counting included |
| longest reason | {outcome.largest_reason} characters (at most 1,000) |
| personal data in reasons and log | none |
| peak memory of the process (VmHWM) | {before:.0f} MB at the start, {while_fed:.0f} MB while receiving, \
{at_the_end:.0f} MB after the last ones (bound: {most_megabytes} MB) |

## Kinds

| kind | sent | rejected |
|---|---|---|
{_kinds(outcome)}
A malformed message that was not rejected has a valid result: it has forged headers, an escaped letter, or an unknown
field, none of which changes its meaning.

## Reasons

| reason | messages |
|---|---|
{_reasons(outcome)}"""


def _kinds(outcome: PoisonOutcome) -> str:
    rejected: Counter[str] = Counter()
    for (kind, _), count in outcome.rejected.items():
        rejected[kind] += count
    return "".join(f"| {kind} | {sent:,} | {rejected[kind]:,} |\n" for kind, sent in sorted(outcome.sent.items()))


def _reasons(outcome: PoisonOutcome) -> str:
    reasons: Counter[str] = Counter()
    for (_, reason), count in outcome.rejected.items():
        reasons[reason] += count
    return "".join(f"| `{reason}` | {count:,} |\n" for reason, count in reasons.most_common())
