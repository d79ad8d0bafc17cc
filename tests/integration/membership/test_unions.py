"""The tree of unions, as administrators see and extend it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.contracts.operations.membership.accounts import (
    CreateUnionRequest,
    ListUnionsRequest,
    NamedUnion,
    NameUnionsRequest,
    RenameUnionRequest,
    UnionAnswer,
    UnionRequest,
)
from services.kit.problems import Conflict, Forbidden, Invalid, NotFound
from services.kit.rpc.methods import Caller
from services.kit.rpc.work import Work
from services.membership import unions
from services.membership.models import Union
from tests.integration.membership.office import Office, a_caller
from tests.mothers import a_union_code


def found(office: Office, superior: Union, caller: Caller, **given: Any) -> UnionAnswer:
    """A new union below `superior`."""
    form = {"name": "第二工会", "code": a_union_code(9), "superior_union_id": superior.union_id, **given}
    with office.begin() as session:
        return unions.create_union(Work(session, caller), CreateUnionRequest(**form))


def names(office: Office, caller: Caller, **given: Any) -> list[str]:
    with office.begin() as session:
        return [one.name for one in unions.list_unions(Work(session, caller), ListUnionsRequest(**given)).items]


def rename(office: Office, caller: Caller, union: Union, name: str) -> str:
    with office.begin() as session:
        request = RenameUnionRequest(union_id=union.union_id, name=name)
        return unions.rename_union(Work(session, caller), request).name


def test_a_new_union_stands_below_its_superior(office: Office) -> None:
    administrator = a_caller(office.superior, "administrator")
    created = found(office, office.superior, administrator)
    assert (created.kind, created.superior_ids) == (
        "grassroots",
        [office.city.union_id, office.superior.union_id],
    )
    assert set(names(office, administrator)) == {"杨浦区总工会", "上海建朗工会", "第二工会"}
    with pytest.raises(Conflict, match="union_exists"):
        found(office, office.superior, administrator)


def test_the_tree_grows_to_any_depth(office: Office) -> None:
    city = a_caller(office.city, "administrator")
    above = office.superior
    for depth in range(4):
        created = found(office, above, city, name=f"第{depth}级工会", code=a_union_code(20 + depth), kind="superior")
        with office.begin() as session:
            above = session.get_one(Union, created.union_id)
    assert len(above.superior_ids) == 5
    assert names(office, city, superior_union_id=office.superior.union_id) == ["上海建朗工会", "第0级工会"]
    with office.begin() as session:
        work = Work(session, a_caller(office.superior, "reviewer"))
        assert unions.get_union(work, UnionRequest(union_id=above.union_id)).name == "第3级工会"


def test_right_below_the_city_stand_superior_unions_alone(office: Office) -> None:
    city = a_caller(office.city, "administrator")
    assert found(office, office.city, city).kind == "superior"
    with pytest.raises(Invalid) as refused:
        found(office, office.city, city, kind="grassroots", code=a_union_code(10))
    assert [field.code for field in refused.value.fields] == ["kind_not_below_superior"]


def test_a_grassroots_union_has_none_below(office: Office) -> None:
    with pytest.raises(Invalid) as refused:
        found(office, office.union, a_caller(office.superior, "administrator"))
    assert [field.code for field in refused.value.fields] == ["grassroots_has_none_below"]


@pytest.mark.parametrize("code", ["810000000000000000", "91110000600037341L", "81"])
def test_a_code_that_no_union_can_have_is_refused(office: Office, code: str) -> None:
    with pytest.raises(Invalid):
        found(office, office.superior, a_caller(office.superior, "administrator"), code=code)


def test_a_union_is_found_by_part_of_its_name_or_by_its_code_however_it_is_typed(office: Office) -> None:
    city = a_caller(office.city, "administrator")
    assert names(office, city, q="杨浦") == ["杨浦区总工会"]
    wide = "".join(chr(ord(character) + 0xFEE0) for character in office.union.code)
    for typed in (office.union.code.lower(), wide):
        assert names(office, city, q=typed) == [office.union.name]


def test_a_union_below_is_renamed_and_the_own_one_by_the_union_above(office: Office) -> None:
    administrator = a_caller(office.superior, "administrator")
    assert rename(office, administrator, office.union, "新名工会") == "新名工会"
    with pytest.raises(Forbidden, match="own_union"):
        rename(office, administrator, office.superior, "新名")
    assert rename(office, a_caller(office.city, "administrator"), office.city, "市总") == "市总"


def test_unions_out_of_scope_are_not_found(office: Office) -> None:
    stranger = a_caller(office.other, "administrator")
    for out_of_reach in (office.union.union_id, office.city.union_id, uuid4()):
        with office.begin() as session:
            for touch in _TOUCHES:
                _is_not_there(touch, Work(session, stranger), out_of_reach)
    with pytest.raises(NotFound):
        found(office, office.superior, stranger)


def test_unions_are_named_by_id_or_code_and_what_is_neither_names_none(office: Office) -> None:
    request = NameUnionsRequest(union_ids=[str(office.city.union_id).upper(), "rubbish"], codes=[office.union.code])
    with office.begin() as session:
        items = unions.name_unions(Work(session, a_caller(office.city, "operator")), request).items
    assert sorted(items, key=lambda one: one.code) == [
        NamedUnion(union_id=one.union_id, code=one.code, name=one.name)
        for one in sorted((office.city, office.union), key=lambda one: one.code)
    ]


_TOUCHES: tuple[Callable[[Work, UUID], object], ...] = (
    lambda work, union_id: unions.get_union(work, UnionRequest(union_id=union_id)),
    lambda work, union_id: unions.rename_union(work, RenameUnionRequest(union_id=union_id, name="新名")),
    lambda work, union_id: unions.list_unions(work, ListUnionsRequest(superior_union_id=union_id)),
)


def _is_not_there(touch: Callable[[Work, UUID], object], work: Work, union_id: UUID) -> None:
    with pytest.raises(NotFound):
        touch(work, union_id)
