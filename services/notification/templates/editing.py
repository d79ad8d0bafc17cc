"""The city edits the texts of messages: list, preview, change, restore; every version is kept."""

from collections.abc import Sequence
from math import ceil

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.contracts.operations.templates import (
    MOST_VERSIONS,
    GetTemplateRequest,
    ListTemplatesRequest,
    PreviewTemplateRequest,
    RestoreTemplateRequest,
    TemplateAnswer,
    TemplateItem,
    TemplatePreviewAnswer,
    TemplatesAnswer,
    TemplateVariable,
    TemplateVersion,
    UpdateTemplateRequest,
)
from services.kit.operations import audit
from services.kit.problems import Conflict, FieldProblem, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.kit.settings import read_settings
from services.notification.models import MessageTemplate
from services.notification.sms import QuietHours
from services.notification.templates.catalogue import INBOX, KINDS, Kind, Text
from services.notification.templates.rendering import Wording, default_of, newest_templates, rendered, worded

_ONE_SMS = 70
_PART_OF_LONG_SMS = 67
"""Characters of an SMS in Chinese, and of each part of one that is longer."""


def list_templates(work: Work, _request: ListTemplatesRequest) -> TemplatesAnswer:
    """All kinds of messages with the texts in force."""
    _check_city(work.caller)
    edited = newest_templates(work.session)
    items = [_item(kind, edited.get(kind.code)) for kind in KINDS.values()]
    return TemplatesAnswer(items=items, quiet_hours=read_settings(QuietHours).sms_quiet_hours)


def get_template(work: Work, request: GetTemplateRequest) -> TemplateAnswer:
    """A kind of message with its variables and earlier texts. Raises NotFound."""
    _check_city(work.caller)
    return _answer(work.session, _kind(request.kind))


def preview_template(work: Work, request: PreviewTemplateRequest) -> TemplatePreviewAnswer:
    """A text with the examples of its variables. Raises NotFound, and Invalid as `update_template` does."""
    _check_city(work.caller)
    kind = _kind(request.kind)
    _refuse_invalid(kind, request)
    title, body = rendered(Wording(request.title, request.body), kind, kind.variables)
    parts = 0 if kind.way == INBOX else 1 if len(body) <= _ONE_SMS else ceil(len(body) / _PART_OF_LONG_SMS)
    return TemplatePreviewAnswer(title=title, body=body, characters=len(body), parts=parts)


def update_template(work: Work, request: UpdateTemplateRequest) -> TemplateAnswer:
    """Puts a text in force. Raises NotFound; Conflict `template_changed` where somebody else has changed it meanwhile;
    Invalid for a text with an unknown variable, without a needed one, or of a kind that cannot be turned off.
    """
    _check_city(work.caller)
    kind = _kind(request.kind)
    _refuse_invalid(kind, request)
    if not (request.is_on or kind.may_be_off):
        raise Invalid([FieldProblem("is_on", "must_be_on", "此类消息不能停用")])
    return _put_in_force(work, kind, request.version, Wording(request.title, request.body, request.is_on))


def restore_template(work: Work, request: RestoreTemplateRequest) -> TemplateAnswer:
    """Puts the default text in force again. Raises NotFound and Conflict as `update_template` does."""
    _check_city(work.caller)
    kind = _kind(request.kind)
    return _put_in_force(work, kind, request.version, Wording("", "", kind.is_on))


def _check_city(caller: Caller) -> None:
    if not caller.is_of_the_city:
        raise Forbidden(detail="消息模板由市总工会管理员维护。")


def _kind(code: str) -> Kind:
    if code not in KINDS:
        raise NotFound(title="未找到该消息模板")
    return KINDS[code]


def _refuse_invalid(kind: Kind, request: PreviewTemplateRequest) -> None:
    problems = [
        *_problems("title", request.title, Text(kind.title).get_identifiers()),
        *_problems("body", request.body, list(kind.variables)),
        *(
            FieldProblem("body", "variable_needed", f"须保留变量 {{{name}}}")
            for name in kind.needed
            if f"{{{name}}}" not in request.body
        ),
    ]
    if (kind.way == INBOX) != bool(request.title):
        reason = "请填写标题" if kind.way == INBOX else "短信没有标题"
        problems.append(FieldProblem("title", "title_of_way", reason))
    if problems:
        raise Invalid(problems)


def _problems(field: str, wording: str, variables: Sequence[str]) -> list[FieldProblem]:
    """What is wrong with the variables of a text; a title has no others than the default, for events tell it."""
    template = Text(wording)
    if not template.is_valid():
        return [FieldProblem(field, "braces", "大括号只能用于变量，如 {" + next(iter(variables), "变量") + "}")]
    unknown = [name for name in template.get_identifiers() if name not in variables]
    known = "、".join(f"{{{name}}}" for name in variables) or "（无）"
    return [FieldProblem(field, "unknown_variable", f"没有变量 {{{name}}}，可用的变量：{known}") for name in unknown]


def _put_in_force(work: Work, kind: Kind, version: int, wording: Wording) -> TemplateAnswer:
    session = work.session
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"template: {kind.code}", 0))))
    current = next(iter(_versions(session, kind, 1)), None)
    if (current.version if current else 0) != version:
        raise Conflict("template_changed", "该模板已被他人修改", "请刷新后查看最新内容，再决定是否修改。")
    old = worded(current) if current else default_of(kind)
    added = MessageTemplate(
        kind=kind.code,
        version=version + 1,
        title=wording.title,
        body=wording.body,
        is_on=wording.is_on,
        edited_by=work.caller.account_id,
        editor=work.caller.account_name or "",
    )
    session.add(added)
    session.flush()
    audit.record(session, ("message_template", kind.code), old=_noted(old), new=_noted(worded(added)))
    return _answer(session, kind)


def _versions(session: Session, kind: Kind, most: int) -> Sequence[MessageTemplate]:
    """The newest versions of a kind, the newest first."""
    versions = select(MessageTemplate).where(MessageTemplate.kind == kind.code)
    return session.scalars(versions.order_by(MessageTemplate.version.desc()).limit(most)).all()


def _noted(wording: Wording) -> dict[str, object]:
    """A text for its audit event."""
    return {"title": wording.title, "body": wording.body, "is_on": wording.is_on}


def _item(kind: Kind, newest: MessageTemplate | None) -> TemplateItem:
    wording = worded(newest) if newest else default_of(kind)
    return TemplateItem(
        kind=kind.code,
        occasion=kind.occasion,
        audience=kind.audience,
        way=kind.way,
        title=wording.title,
        body=wording.body,
        is_on=wording.is_on,
        may_be_off=kind.may_be_off,
        is_urgent=kind.is_urgent,
        is_default=wording == default_of(kind),
        version=newest.version if newest else 0,
    )


def _answer(session: Session, kind: Kind) -> TemplateAnswer:
    versions = _versions(session, kind, MOST_VERSIONS)
    return TemplateAnswer(
        **vars(_item(kind, versions[0] if versions else None)),
        variables=[
            TemplateVariable(name=name, example=example, is_needed=name in kind.needed)
            for name, example in kind.variables.items()
        ],
        default_title=kind.title,
        default_body=kind.body,
        history=[_version(one) for one in versions],
    )


def _version(template: MessageTemplate) -> TemplateVersion:
    wording = worded(template)
    return TemplateVersion(
        version=template.version,
        title=wording.title,
        body=wording.body,
        is_on=wording.is_on,
        is_default=not template.body,
        editor=template.editor,
        edited_at=template.edited_at,
    )
