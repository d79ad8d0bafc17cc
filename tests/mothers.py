"""Object mothers: the things of the field that tests start from, each valid until a test changes it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from stdnum.cn import ric

from services.validation.rules import Person


def a_resident_number(
    birth_date: date = date(1985, 6, 15), sex: str = "male", region: str = "310115", sequence: int = 1
) -> str:
    """A valid resident ID number, its check digit computed by python-stdnum; `sequence` from 0 to 499."""
    first_seventeen = f"{region}{birth_date:%Y%m%d}{sequence * 2 + (sex == 'male'):03}"
    return f"{first_seventeen}{ric.calc_check_digit(first_seventeen + '0')}"


def a_person(**changes: Any) -> Person:
    """A man born in 1985 with a resident ID, in whom no rule finds anything on 2026-03-01 while he works."""
    facts: dict[str, Any] = {
        "name": "王建国",
        "document_type": "resident_id",
        "document_number": a_resident_number(),
        "document_expiry": date(2035, 8, 8),
        "document_issued": date(2015, 8, 8),
        "birth_date": date(1985, 6, 15),
        "sex": "male",
        "retirement_category": "M60",
        "special_retirement_month": None,
        "nationality": "CHN",
    }
    return Person(**(facts | changes))


def a_validation_request(
    *persons: Person, check_no: int = 1, union_id: UUID | None = None, application_ids: Sequence[UUID] = ()
) -> dict[str, Any]:
    """The data of a `validation_requested` for these persons, in their order; ids that are not given are new."""
    ids = list(application_ids) or [uuid4() for _ in persons]
    return {
        "union_id": union_id or uuid4(),
        "applications": [{"application_id": application_id, "check_no": check_no} for application_id in ids],
        "persons": [
            {"application_id": application_id, **asdict(person)}
            for application_id, person in zip(ids, persons, strict=True)
        ],
    }
