"""The order of a list by a column of the caller's choice."""

import pytest
from sqlalchemy import Column, Date, Integer, MetaData, String, Table

from gateway.api import ROUTES
from services.kit.data.lists.ordering import in_order, smallest_first
from tests.gateway_page import Page

PEOPLE = Table("people", MetaData(), Column("id", Integer, primary_key=True), Column("name", String, nullable=False),
               Column("expiry", Date))  # fmt: skip
COLUMNS = {"name": PEOPLE.c.name, "expiry": PEOPLE.c.expiry}
LISTS = {
    "/api/v1/members": "member_no、name、applied_at",
    "/api/v1/pending": "member_no、name、listed_at、document_expiry",
    "/api/v1/batches": "batch_no、total、issued、submitted_at、feedback_at",
    "/api/v1/batches/cbc1/members": "position、name、decided_at",
    "/api/v1/revocations": "batch_no、requested_at、decided_at",
    "/api/v1/accounts": "account_name、last_signed_in_at",
    "/api/v1/unions": "code、name",
    "/api/v1/outlets": "code、name、district",
}


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("name", ["people.name ASC", "people.id ASC"]),
        ("-name", ["people.name DESC", "people.id DESC"]),
        ("expiry", ["people.expiry ASC NULLS FIRST", "people.id ASC"]),
        ("-expiry", ["people.expiry DESC NULLS LAST", "people.id DESC"]),
    ],
)
def test_both_directions_are_those_of_one_index(sort: str, order: list[str]) -> None:
    assert [str(part) for part in in_order(sort, COLUMNS, PEOPLE.c.id)] == order
    assert str(smallest_first(COLUMNS["expiry"])) == "people.expiry ASC NULLS FIRST"


@pytest.mark.parametrize(("path", "columns"), LISTS.items())
def test_a_column_by_which_a_list_has_no_order_is_named_with_those_by_which_it_has(path: str, columns: str) -> None:
    page = Page(ROUTES)
    page.sign_in_as("administrator", "clerk")

    for sort in ("document_number", "-phone", "name; drop table member", "--name"):
        answer = page.get(f"{path}?sort={sort}")

        assert answer.status_code == 422
        assert answer.mimetype == "application/problem+json"
        assert answer.json is not None
        [wrong] = answer.json["fields"]
        assert wrong["field"] == "sort"
        assert wrong["reason"] == f"不能按此项排序，可以选择：{columns}（加 - 为从大到小）"
