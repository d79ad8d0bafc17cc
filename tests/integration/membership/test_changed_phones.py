"""A member's changed phone: who had the old number hears of it, and no password or session outlives the change."""

from typing import Any

import pytest
from sqlalchemy import text

from services.common.contracts.membership import MEMBER_PHONE_CHANGED
from tests.integration.membership.office import Office

OWN, OTHER, ANOTHER = "13900000001", "13900000002", "13900000003"


def told_numbers(office: Office) -> list[tuple[str | None, str | None]]:
    """The old and the new number of each change that was told."""
    numbers = [told["numbers"] for told in office.told(MEMBER_PHONE_CHANGED)]
    return [(one["old_phone"], one["new_phone"]) for one in numbers]


@pytest.mark.parametrize("on_the_way", [{"phone": OTHER}, {"phone": None}])
def test_the_number_of_an_employed_member_hears_of_each_change_and_of_who_can_sign_in_in_its_place(
    office: Office, on_the_way: dict[str, Any]
) -> None:
    member_id = office.register(phone=OWN)
    office.update(member_id, **on_the_way)
    assert told_numbers(office) == [(OWN, on_the_way["phone"])]
    assert office.member(member_id)["phone_held_until"] is not None
    office.update(member_id, phone=ANOTHER)
    office.update(member_id, affiliation="flexible")
    last_but_one = on_the_way["phone"] or OWN
    assert told_numbers(office)[1:] == [(last_but_one, ANOTHER), (last_but_one, ANOTHER)]
    assert office.kept(member_id, "replaced_phone") == (None,), "nobody is left to be told"


def test_a_number_that_was_taken_away_first_hears_who_signs_in_in_its_place(office: Office) -> None:
    member_id = office.register(phone=OWN, affiliation="flexible")
    office.update(member_id, phone=None)
    office.update(member_id, phone=ANOTHER)
    office.update(member_id, address="上海市杨浦区闸殷路1弄1号")
    assert told_numbers(office) == [(OWN, None), (OWN, ANOTHER)]


def test_the_replaced_number_is_kept_encrypted(office: Office) -> None:
    member_id = office.register(phone=OWN)
    office.update(member_id, phone=OTHER)
    with office.begin() as session:
        kept = session.scalar(text("select replaced_phone from member"))
    assert OWN.encode() not in bytes(kept)
    assert office.kept(member_id, "replaced_phone") == (OWN,)
