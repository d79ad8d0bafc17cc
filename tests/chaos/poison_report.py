"""The report of a poison run, as a Markdown document."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from deploy.local.environment import ROOT
from tests.chaos.poison import Poison
from tests.chaos.poisoning import EVERY, WAVE, Fate

DOCUMENT = ROOT / "docs" / "chaos" / "poison.md"


def write(
    fate: Fate, messages: int, megabytes: tuple[float, float, float], pile: Sequence[Poison], most_megabytes: int
) -> None:
    """Writes the document."""
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(_document(fate, messages, megabytes, pile, most_megabytes))


def _document(
    fate: Fate, messages: int, megabytes: tuple[float, float, float], pile: Sequence[Poison], most_megabytes: int
) -> str:
    rejected = sum(fate.rejected.values())
    before, while_fed, at_the_end = megabytes
    piled = ", ".join(f"{count} of {kind}" for kind, count in Counter(one.kind for one in pile).items())
    return f"""# Poison

Made by `make poison MESSAGES={messages}` on {datetime.now(UTC):%Y-%m-%d}; another run writes it anew. The messages are
drawn by hypothesis and are the same in each run (`tests/chaos/poison.py`).

A process of batching with its own broker and database was sent {messages:,} messages that no bank in its senses sends,
{WAVE} at a time, and a true result after every {EVERY} of them; then, while it was held, a pile at once: {piled}.

| | |
|---|---|
| sent | {sum(fate.sent.values()):,} messages, {fate.megabytes:,.0f} MB |
| applied, or known already | {fate.taken:,}, of which {fate.in_part:,} in part: their wrong results were rejected |
| rejected with a reason | {rejected:,} |
| neither, or both | {sum(fate.sent.values()) - fate.taken - rejected} |
| true results sent, applied once | {fate.true_results:,}, {fate.true_results:,} |
| longest from sending a true result to its commit | {fate.slowest_seconds:.1f} s, behind up to {WAVE} others |
| rate | {messages / fate.seconds:,.0f} messages a second, sending and counting included |
| longest reason | {fate.largest_reason} characters (at most 1,000) |
| personal data in reasons and log | none |
| peak memory of the process (VmHWM) | {before:.0f} MB at the start, {while_fed:.0f} MB while fed, {at_the_end:.0f} MB \
after the pile (bound: {most_megabytes} MB) |

## Kinds

| kind | sent | rejected |
|---|---|---|
{_kinds(fate)}
What is not rejected is true for all that is odd about it: forged headers around a signed result, an escaped letter, a
padding field that nobody reads.

## Reasons

| reason | messages |
|---|---|
{_reasons(fate)}"""


def _kinds(fate: Fate) -> str:
    rejected: Counter[str] = Counter()
    for (kind, _), count in fate.rejected.items():
        rejected[kind] += count
    return "".join(f"| {kind} | {sent:,} | {rejected[kind]:,} |\n" for kind, sent in sorted(fate.sent.items()))


def _reasons(fate: Fate) -> str:
    reasons: Counter[str] = Counter()
    for (_, reason), count in fate.rejected.items():
        reasons[reason] += count
    return "".join(f"| `{reason}` | {count:,} |\n" for reason, count in reasons.most_common())
