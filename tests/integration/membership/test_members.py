"""Registering, changing and showing members."""

import json
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from services.contracts.events.membership import MEMBER_NUMBERED, MEMBER_REGISTERED
from services.contracts.operations.membership import members as rpc
from services.kit.problems import Conflict, Invalid, NotFound
from services.kit.rpc.operation import Scope
from services.kit.schemas import schema_of
from services.membership.members import document_ends, members
from tests.documents import read
from tests.integration.membership.office import Office, a_caller, an_account
from tests.mothers import a_member_form, a_resident_number


def test_a_registered_member_has_no_number_until_it_is_given(office: Office) -> None:
    member_id = office.register()
    before = office.member(member_id)
    office.give_numbers()
    after = office.member(member_id)
    assert (before["member_no"], before["reason"]["code"]) == (None, "number_missing")
    assert len(after["member_no"]) == 10
    assert after["member_no"].isdigit()
    assert after["selectable"]


def test_a_number_is_assigned_once_though_the_registration_is_delivered_twice(office: Office) -> None:
    (member_id,) = office.numbered()
    number = office.member(member_id)["member_no"]
    office.give_numbers()
    assert office.member(member_id)["member_no"] == number
    assert len(office.published(MEMBER_NUMBERED)) == 1


def test_numbers_of_many_members_differ(office: Office) -> None:
    numbers = [office.member(member_id)["member_no"] for member_id in office.numbered(20)]
    assert len(set(numbers)) == 20


def test_birth_date_sex_and_a_mans_category_are_read_from_the_number(office: Office) -> None:
    member_id = office.register(document_number=a_resident_number(date(1985, 6, 15), "male"))
    published = office.kept(member_id, "birth_date", "sex", "retirement_category")
    assert published == (date(1985, 6, 15), "male", "M60")


def test_a_womans_category_is_not_guessed(office: Office) -> None:
    member_id = office.register(document_number=a_resident_number(sex="female"))
    assert office.kept(member_id, "sex", "retirement_category") == ("female", None)


def test_a_woman_in_flexible_employment_retires_as_one_in_a_cadre_post(office: Office) -> None:
    member_id = office.register(document_number=a_resident_number(sex="female"), affiliation="flexible")
    assert office.member(member_id)["retirement_category"] == "F55"


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"birth_date": "1985-06-16"}, "birth_date", "birth_date_differs"),
        ({"sex": "female"}, "sex", "sex_differs"),
        ({"document_number": "310115198506150012"}, "document_number", "check_digit_wrong"),
        ({"nationality": "USA"}, "nationality", "nationality_of_document"),
    ],
)
def test_what_the_number_contradicts_is_refused(office: Office, changes: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        office.register(**{"document_number": a_resident_number(), **changes})
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == [(field, code)]


def test_numbers_are_masked(office: Office) -> None:
    member_id = office.register(document_number="11010519491231002X", phone="13812345678")
    member = office.member(member_id)
    assert (member["document_number"], member["phone"]) == ("11010***********2X", "138****5678")
    assert office.listed()["items"][0]["document_number"] == "11010***********2X"


def test_numbers_are_encrypted_in_the_database(office: Office) -> None:
    office.register(document_number="11010519491231002X", phone="13812345678")
    with office.engine.connect() as connection:
        stored = str(connection.exec_driver_sql("select member::text from member").scalar_one())
    assert "11010519491231002X" not in stored
    assert "13812345678" not in stored


def test_a_person_is_registered_once_in_the_whole_city(office: Office) -> None:
    form = a_member_form()
    office.register(**form)
    elsewhere = an_account(office, office.other, "clerk")
    request = read(rpc.RegisterMemberRequest, {**form, "document_number": form["document_number"].lower()})
    with pytest.raises(Conflict) as refusal, office.begin() as session:
        members.register_member(office.work(session, elsewhere), request)
    assert refusal.value.code == "member_elsewhere"


def test_a_renewed_travel_permit_is_not_another_member(office: Office) -> None:
    office.register(document_type="mainland_travel_permit_hm", document_number="H1234567801")
    with pytest.raises(Conflict, match="member_exists"):
        office.register(document_type="mainland_travel_permit_hm", document_number="H1234567802")


def test_a_number_of_a_wrong_form_is_refused_with_its_field(office: Office) -> None:
    with pytest.raises(Invalid) as refusal:
        office.register(document_type="passport", document_number="E1")
    assert [(field.field, field.code) for field in refusal.value.fields] == [("document_number", "number_form")]


def test_what_the_system_check_is_for_is_not_refused(office: Office) -> None:
    assert office.register(document_expiry="2020-01-01")


def test_each_row_of_a_set_has_its_outcome(office: Office) -> None:
    known, new = a_member_form(), a_member_form()
    office.register(**known)
    rows = [known, new, new, a_member_form(document_number="310115198506150012"), a_member_form(document_number="1")]
    asked = [read(rpc.RegisterMemberRequest, row) for row in rows]
    with office.begin() as session:
        outcomes = members.register_members(session, office.union.union_id, asked)
    codes = [outcome.problems[0].code if outcome.problems else None for outcome in outcomes]
    assert codes == ["member_exists", None, "repeated", "check_digit_wrong", "number_form"]
    assert isinstance(outcomes[1].member_id, UUID)


def test_a_large_chunk_is_published_in_parts_of_500(office: Office) -> None:
    rows = [read(rpc.RegisterMemberRequest, a_member_form()) for _ in range(1100)]
    with office.begin() as session:
        members.register_members(session, office.union.union_id, rows)
    assert [len(published["members"]) for published in office.published(MEMBER_REGISTERED)] == [500, 500, 100]


def test_a_member_is_changed_and_what_is_absent_stays(office: Office) -> None:
    member_id = office.register(address="杨浦区控江路1号", phone="13812345678")
    changed = office.update(member_id, name="王 建军", address=None)
    assert (changed["name"], changed["address"], changed["phone"]) == ("王建军", None, "138****5678")


def test_a_new_number_brings_its_own_birth_date_and_sex(office: Office) -> None:
    member_id = office.register()
    office.update(member_id, document_number=a_resident_number(date(1990, 1, 2), "female"))
    assert office.kept(member_id, "birth_date", "sex") == (date(1990, 1, 2), "female")


@pytest.mark.parametrize("birth_date", [date(1985, 6, 15), date(1985, 6, 16)])
def test_a_birth_date_that_the_number_tells_is_not_changed_without_the_number(office: Office, birth_date: date) -> None:
    number = a_resident_number(date(1985, 6, 15))
    member_id = office.register(document_number=number)
    with pytest.raises(Invalid) as refusal:
        office.update(member_id, birth_date=birth_date)
    assert [(problem.field, problem.code) for problem in refusal.value.fields] == [("birth_date", "told_by_number")]
    office.update(member_id, birth_date=date(1985, 6, 15), document_number=number)
    passport = office.register(document_type="passport", document_number="E12345679", birth_date="1985-06-15")
    office.update(passport, birth_date=birth_date, sex="female")
    assert office.kept(passport, "birth_date", "sex") == (birth_date, "female")


def test_birth_date_and_sex_are_in_no_answer_beside_a_masked_number(office: Office) -> None:
    member_id = office.register()
    assert not {"birth_date", "sex"} & (office.member(member_id).keys() | office.listed()["items"][0].keys())


def test_members_are_found_by_the_end_of_their_number_though_a_former_release_wrote_it(office: Office) -> None:
    office.register(name="韩梅", document_number="11010519491231002X")
    office.register(name="李雷", document_number=a_resident_number(sex="male"))
    assert office.names(document_end="002X") == ["韩梅"]
    with office.engine.begin() as connection:
        connection.exec_driver_sql("update member set document_digest = sha256(document_digest)")
    assert office.names(document_end="002X") == []
    with office.begin() as session:
        assert document_ends.fill_some(session) == 2
        assert document_ends.fill_some(session) == 0
    assert office.names(document_end="002X") == ["韩梅"]
    reviewer = replace(an_account(office, office.superior, "reviewer"), scope=Scope.SUBORDINATES)
    with pytest.raises(Invalid) as elsewhere:
        office.listed(reviewer, document_end="002X", union_id=office.union.union_id)
    assert elsewhere.value.fields[0].code == "own_union_only"


def test_nobody_is_found_by_the_end_of_a_number_of_which_the_mask_shows_less(office: Office) -> None:
    for document_type, number in (
        ("passport", "E12345678"),
        ("mainland_travel_permit_hm", "H12345678"),
        ("mainland_travel_permit_tw", "12345678"),
        ("military_officer_id", "军字第12345678号"),
    ):
        office.register(
            document_type=document_type, document_number=number, birth_date="1985-06-15", sex="female", nationality=None
        )
        assert office.names(document_end=number[-4:]) == []
        assert len(office.names(document_number=number)) == 1


def test_a_document_that_stays_the_same_keeps_birth_date_and_sex(office: Office) -> None:
    member_id = office.register(
        document_type="passport", document_number="E12345678", birth_date="1985-06-15", sex="female"
    )
    office.update(member_id, document_type="passport", document_number="e 12345678", address="控江路1号")
    assert office.kept(member_id, "birth_date", "sex") == (date(1985, 6, 15), "female")


def test_the_number_of_another_member_is_refused(office: Office) -> None:
    form = a_member_form()
    office.register(**form)
    with pytest.raises(Conflict, match="member_exists"):
        office.update(office.register(), document_number=form["document_number"])


def test_the_identity_stays_while_an_application_lives(office: Office) -> None:
    member_id, _ = office.queued()
    with pytest.raises(Conflict, match="application_live"):
        office.update(member_id, name="王建军")
    assert office.update(member_id, address="杨浦区控江路2号")["address"] == "杨浦区控江路2号"


def test_another_unions_member_is_not_found(office: Office) -> None:
    member_id = office.register()
    for stranger in (a_caller(office.other, "clerk"), a_caller(office.other, "reviewer", "administrator")):
        with pytest.raises(NotFound):
            office.member(member_id, stranger)


def test_a_superior_union_sees_the_members_below_but_its_clerks_do_not(office: Office) -> None:
    member_id = office.register()
    assert office.member(member_id, a_caller(office.city, "reviewer"))["member_id"] == member_id
    with pytest.raises(NotFound):
        office.member(member_id, a_caller(office.superior, "clerk"))


def as_json(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def test_answers_are_what_the_contract_says(office: Office) -> None:
    member_id, _ = office.queued(phone="13812345678", address="杨浦区控江路1号", nationality="CHN")
    for schema, answer in (
        (schema_of(rpc.MemberAnswer)(), office.member(member_id)),
        (schema_of(rpc.ListMembersAnswer)(), office.listed()),
    ):
        assert schema.validate(json.loads(json.dumps(answer, default=as_json))) == {}
