"""Saved searches in the audit log: each account keeps some under names of its own."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from services.contracts.operations.audit import (
    MOST_SEARCHES,
    ListSearchesRequest,
    RenameSearchRequest,
    SavedSearchAnswer,
    SavedSearchesAnswer,
    SaveSearchRequest,
    SearchRequest,
)
from services.kit.operations import audit
from services.kit.problems import Conflict, NotFound
from services.kit.rpc.work import Work
from services.kit.schemas import values_of
from services.membership.models import Account, SavedSearch


def list_searches(work: Work, _request: ListSearchesRequest) -> SavedSearchesAnswer:
    """The saved searches of the caller's account, by name."""
    own = select(SavedSearch).where(SavedSearch.account_id == UUID(work.caller.account_id)).order_by(SavedSearch.name)
    return SavedSearchesAnswer(items=[_answer(one) for one in work.session.scalars(own)])


def save_search(work: Work, request: SaveSearchRequest) -> SavedSearchAnswer:
    """Saves a search; raises Conflict `search_name_taken` and `too_many_searches`."""
    session, account_id = work.session, UUID(work.caller.account_id)
    session.get(Account, account_id, with_for_update={"key_share": True})
    kept = {name: str(value) for name, value in values_of(request.filter).items()}
    search = SavedSearch(search_id=uuid7(), account_id=account_id, name=request.name, filter=kept)
    session.add(search)
    _flush(session)
    audit.record(session, ("saved_search", search.search_id), new={"name": request.name})
    own = select(func.count()).where(SavedSearch.account_id == account_id)
    if (session.scalar(own) or 0) > MOST_SEARCHES:
        raise Conflict(
            "too_many_searches", "保存的查询过多", f"每个账号最多保存 {MOST_SEARCHES} 个，请先删除不用的查询。"
        )
    return _answer(search)


def rename_search(work: Work, request: RenameSearchRequest) -> SavedSearchAnswer:
    """Renames a search of the caller; raises NotFound, Conflict `search_name_taken`."""
    search = _own(work, request.search_id)
    audit.record(work.session, old={"name": search.name}, new={"name": request.name})
    search.name = request.name
    _flush(work.session)
    return _answer(search)


def delete_search(work: Work, request: SearchRequest) -> None:
    """Deletes a search of the caller; raises NotFound."""
    search = _own(work, request.search_id)
    audit.record(work.session, old={"name": search.name})
    work.session.delete(search)


def _own(work: Work, search_id: UUID) -> SavedSearch:
    audit.record(work.session, ("saved_search", search_id))
    search = work.session.get(SavedSearch, search_id, with_for_update=True)
    if search is None or str(search.account_id) != work.caller.account_id:
        raise NotFound(title="未找到该查询")
    return search


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as taken:
        raise Conflict("search_name_taken", "已有同名的查询", "请换一个名称。") from taken


def _answer(search: SavedSearch) -> SavedSearchAnswer:
    return SavedSearchAnswer(search_id=search.search_id, name=search.name, filter=search.filter)
