"""Renders messages by the templates that are in force: the city's own, or the default."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from services.notification.models import MessageTemplate
from services.notification.templates.catalogue import INBOX, KINDS, SIGNATURE, Kind, Text

_IN_FORCE = "message templates"


@dataclass(frozen=True)
class Message:
    """What a message tells: the kind of its template, the values of its variables, and the page it leads to.

    `name` is the kind that programs know, where several have one template or one has several.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)
    link: str | None = None
    name: str = ""

    @property
    def kind(self) -> str:
        """The stable kind of the message, for programs."""
        return self.name or self.template


@dataclass(frozen=True)
class Wording:
    """The text of a kind of message in one version; what is not `is_on` is not sent."""

    title: str
    body: str
    is_on: bool = True


def default_of(kind: Kind) -> Wording:
    """The text that a kind has unless the city has another."""
    return Wording(kind.title, kind.body, kind.is_on)


def worded(template: MessageTemplate) -> Wording:
    """The text of a version; the default where it has none, or names a variable that this release does not know."""
    kind = KINDS[template.kind]
    known = all(name in kind.variables for name in _variables(template.title, template.body))
    title, body = (template.title, template.body) if template.body and known else (kind.title, kind.body)
    return Wording(title, body, template.is_on)


def in_force(session: Session, code: str) -> Wording:
    """The text of a kind of message that is in force; the templates are read once in a transaction."""
    edited: dict[str, Wording] | None = session.info.get(_IN_FORCE)
    if edited is None:
        edited = {code: worded(template) for code, template in newest_templates(session).items() if code in KINDS}
        session.info[_IN_FORCE] = edited
    return edited.get(code) or default_of(KINDS[code])


def newest_templates(session: Session) -> dict[str, MessageTemplate]:
    """The newest version of each kind of message that the city has edited, by the kind."""
    versions = select(MessageTemplate).order_by(MessageTemplate.kind, MessageTemplate.version.desc())
    return {one.kind: one for one in session.scalars(versions.ext(distinct_on(MessageTemplate.kind)))}


def rendered(wording: Wording, kind: Kind, values: Mapping[str, object]) -> tuple[str, str]:
    """Title and body with the values of all variables; an SMS is signed. Raises KeyError for an unknown variable."""
    title, body = Text(wording.title).substitute(values), Text(wording.body).substitute(values)
    return (title, body) if kind.way == INBOX else ("", f"{SIGNATURE}{body}")


def is_on(session: Session, message: Message) -> bool:
    """Whether messages of this kind are sent: the city may have turned it off."""
    return in_force(session, message.template).is_on


def render(session: Session, message: Message) -> tuple[str, str]:
    """Title and body of a message by the template in force."""
    return rendered(in_force(session, message.template), KINDS[message.template], message.values)


def _variables(*texts: str) -> list[str]:
    return [name for text in texts for name in Text(text).get_identifiers()]
