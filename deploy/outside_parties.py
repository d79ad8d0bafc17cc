"""What the event catalogue says of each outside party with which messages are exchanged: the bank, the society."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marshmallow import Schema

from services.contracts.external import bank, insurer

CONTRACTS = Path(__file__).parents[1] / "services" / "contracts" / "external"


@dataclass(frozen=True)
class OutsideParty:
    """An outside party: its messages, and the guide for its integrators.

    `name` begins the names of its examples and is that of its page; `owner` is the service that it talks to, `exchange`
    the one of what it is sent, `incoming` the queue and channel of what it sends.
    """

    name: str
    owner: str
    exchange: str
    incoming: str
    messages: Mapping[str, type[Schema]]
    summaries: Mapping[str, str]
    rejections: Mapping[str, str]
    same_channel: Mapping[str, str]
    """Messages without a channel of their own: they come by that of another one."""

    @property
    def guide(self) -> Path:
        """The guide, a template with placeholders for what follows from the contracts."""
        return CONTRACTS / f"{self.name}.md"

    @property
    def channels(self) -> dict[str, tuple[str, ...]]:
        """The messages by the channel that carries them."""
        own = [name for name in self.messages if name not in self.same_channel]
        return {name: (name, *(one for one, way in self.same_channel.items() if way == name)) for name in own}

    def example(self, message: str) -> str:
        """Returns the name of a message's example."""
        return message if message.startswith(f"{self.name}.") else f"{self.name}.{message}"


BANK = OutsideParty(
    name="bank",
    owner="batching",
    exchange=bank.EXCHANGE,
    incoming=bank.FEEDBACK_QUEUE,
    messages=bank.MESSAGES,
    summaries={
        bank.SUBMITTED: "To the bank: a batch was submitted to an outlet, in parts of at most 500 applicants.",
        bank.RECALLED: "To the bank: the cards of these applicants must no longer be made.",
        bank.FEEDBACK_QUEUE: "From the bank: the outcomes for applicants.",
        bank.CARD_FEEDBACK: "From the bank: what happened to cards; sent as `bank.feedback`.",
        bank.RECEIPT: "To the bank: the outcome of its feedback.",
    },
    rejections=bank.REJECTIONS,
    same_channel={bank.CARD_FEEDBACK: bank.FEEDBACK_QUEUE},
)
INSURER = OutsideParty(
    name="insurer",
    owner="membership",
    exchange=insurer.EXCHANGE,
    incoming=insurer.ENROLMENTS_QUEUE,
    messages=insurer.MESSAGES,
    summaries={
        insurer.ELIGIBLE: "To the mutual-aid society: members whose card was made, so that they can be insured.",
        insurer.ENROLMENTS_QUEUE: "From the mutual-aid society: who is insured, when, how and for what.",
        insurer.RECEIPT: "To the mutual-aid society: the outcome of its reports.",
    },
    rejections=insurer.REJECTIONS,
    same_channel={},
)
OUTSIDE_PARTIES = (BANK, INSURER)
