"""The operations on the texts of messages, which the city edits, and on a member's wish for text messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from marshmallow import validate

from services.kit.events.contract import choice
from services.kit.fields import text
from services.kit.rpc.operation import command, no_union, own_data, query

WAYS = ("inbox", "sms")
AUDIENCES = ("member", "contact", "clerk", "reviewer", "holder", "administrator", "operator", "applicant", "staff")
LONGEST_TITLE = 40
LONGEST_BODY = 500
MOST_VERSIONS = 50


@dataclass(frozen=True, kw_only=True)
class ListTemplatesRequest:
    """Has no parameters: the kinds are few."""


@dataclass(frozen=True, kw_only=True)
class TemplateItem:
    """A kind of message with the text in force."""

    kind: str
    occasion: Annotated[str, "on which occasion it is sent, in Chinese"]
    audience: Annotated[str, choice(*AUDIENCES)]
    way: Annotated[str, choice(*WAYS)]
    title: Annotated[str, "empty for a text message"]
    body: str
    is_on: bool
    may_be_off: Annotated[bool, "the city can turn it off, and a member refuse one that is for members"]
    is_urgent: Annotated[bool, "sent in quiet hours too"]
    is_default: Annotated[bool, "the city has not changed it"]
    version: Annotated[int, "of the text in force; 0 for one that was never edited"]


@dataclass(frozen=True, kw_only=True)
class TemplatesAnswer:
    items: Annotated[list[TemplateItem], "in the order of an application's way"]
    quiet_hours: Annotated[str, "from which hour to which no text message is sent that can wait; twice the same: none"]


@dataclass(frozen=True, kw_only=True)
class GetTemplateRequest:
    kind: Annotated[str, text(60)]


@dataclass(frozen=True, kw_only=True)
class TemplateVariable:
    name: Annotated[str, "as the text has it in braces"]
    example: str
    is_needed: Annotated[bool, "it must stay in the text"]


@dataclass(frozen=True, kw_only=True)
class TemplateVersion:
    """A text that was in force from `edited_at` on."""

    version: int
    title: str
    body: str
    is_on: bool
    is_default: bool
    editor: Annotated[str, "the account that edited"]
    edited_at: datetime


@dataclass(frozen=True, kw_only=True)
class TemplateAnswer(TemplateItem):
    variables: list[TemplateVariable]
    default_title: str
    default_body: str
    history: Annotated[list[TemplateVersion], "the newest first, 50 at most"]


@dataclass(frozen=True, kw_only=True)
class PreviewTemplateRequest(GetTemplateRequest):
    """A text as it would be sent, with the examples of its variables."""

    title: Annotated[str, text(LONGEST_TITLE, shortest=0)] = ""
    body: Annotated[str, text(LONGEST_BODY)]


@dataclass(frozen=True, kw_only=True)
class TemplatePreviewAnswer:
    title: str
    body: str
    characters: Annotated[int, "of a text message, with the signature"]
    parts: Annotated[int, "how many text messages it costs; 0 for the inbox"]


@dataclass(frozen=True, kw_only=True)
class UpdateTemplateRequest(PreviewTemplateRequest):
    """`version` is that of the text in force, which nobody may have changed meanwhile."""

    is_on: bool
    version: Annotated[int, validate.Range(min=0)]


@dataclass(frozen=True, kw_only=True)
class RestoreTemplateRequest(GetTemplateRequest):
    """The default text and setting are in force again."""

    version: Annotated[int, validate.Range(min=0)]


@dataclass(frozen=True, kw_only=True)
class GetNoticesRequest:
    """Has no parameters: the member is known."""


@dataclass(frozen=True, kw_only=True)
class NoticesAnswer:
    by_sms: Annotated[bool, "text messages about one's applications and cards are wanted"]


@dataclass(frozen=True, kw_only=True)
class SetNoticesRequest:
    by_sms: bool


_EDITORS = no_union("administrator")

LIST_TEMPLATES = query("notification.list_templates", ListTemplatesRequest, TemplatesAnswer, allow=_EDITORS)
GET_TEMPLATE = query("notification.get_template", GetTemplateRequest, TemplateAnswer, allow=_EDITORS)
PREVIEW_TEMPLATE = query("notification.preview_template", PreviewTemplateRequest, TemplatePreviewAnswer, allow=_EDITORS)
UPDATE_TEMPLATE = command(
    "notification.update_template", UpdateTemplateRequest, TemplateAnswer, allow=_EDITORS, title="修改消息模板"
)
RESTORE_TEMPLATE = command(
    "notification.restore_template", RestoreTemplateRequest, TemplateAnswer, allow=_EDITORS, title="恢复默认消息模板"
)
GET_NOTICES = query("notification.get_notices", GetNoticesRequest, NoticesAnswer, allow=own_data("member"))
SET_NOTICES = command(
    "notification.set_notices", SetNoticesRequest, NoticesAnswer, allow=own_data("member"), title="设置短信通知"
)
