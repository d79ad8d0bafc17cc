"""The people of the demonstration, as an .xlsx that a clerk fills in from the system's template."""

import io
import random
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from openpyxl import load_workbook

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂兰辉玲丹萍鹏华红玉飞斌梅琳建文"
_ROADS = ("闸殷路", "黄兴路", "国定路", "控江路", "四平路", "长阳路", "平凉路", "翔殷路")
LONG_TERM = "长期"


@dataclass
class Person:
    """One row of the sheet; `why_not` says what the system check will find, if anything."""

    name: str
    document_number: str
    document_type: str = "居民身份证"
    document_expiry: str = "2038-06-13"
    nationality: str = "CHN"
    sex: str = "男"
    birth_date: str = ""
    retirement_category: str = "M60"
    phone: str = ""
    address: str = ""
    why_not: str | None = field(default=None)


@dataclass(frozen=True)
class People:
    """All people in the sheet, by the outcome that the story expects."""

    ordinary: list[Person]
    failing: list[Person]
    registry_retired: Person
    rare_name: Person
    passport: Person
    broken_rows: list[Person]

    @property
    def importable(self) -> list[Person]:
        """The 200 people whose rows are valid."""
        return [*self.ordinary, *self.removed, self.rare_name, self.passport]

    @property
    def removed(self) -> list[Person]:
        """The people who do not pass the system check."""
        return [*self.failing, self.registry_retired]

    @property
    def rows(self) -> list[Person]:
        """All rows, the invalid ones in the middle."""
        half = len(self.importable) // 2
        return [*self.importable[:half], *self.broken_rows, *self.importable[half:]]


def make_people(seed: int) -> People:
    """Makes 200 importable people and four invalid rows; another seed gives other people."""
    dice = random.Random(seed)
    ordinary = [working_person(dice) for _ in range(191)]
    failing = [_retired(dice) for _ in range(3)]
    failing += [with_expired_document(working_person(dice)) for _ in range(3)]
    registry_retired = working_person(dice)
    registry_retired.why_not = "registry"
    rare_name = working_person(dice)
    rare_name.name = "王𬎆"
    passport = Person(
        name="SMITH JOHN",
        document_number=f"X{dice.randrange(10**8):08d}",
        document_type="护照",
        document_expiry="2031-05-01",
        nationality="GBR",
        birth_date="1988-03-05",
        phone=_phone(dice),
        address=_address(dice),
    )
    nameless, unknown_type = working_person(dice), working_person(dice)
    nameless.name = ""
    unknown_type.document_type = "图书证"
    broken = [nameless, unknown_type, ordinary[0], _with_wrong_check_digit(working_person(dice))]
    return People(ordinary, failing, registry_retired, rare_name, passport, broken)


def fill_in(template: bytes, rows: list[Person]) -> bytes:
    """Returns the template with a row for each person, by the headings in its first row."""
    workbook = load_workbook(io.BytesIO(template))
    sheet: Any = workbook.worksheets[0]
    headings = [str(cell.value or "").strip("*").strip() for cell in sheet[1]]
    if sheet.max_row > 1:
        sheet.delete_rows(2, sheet.max_row)
    for person in rows:
        cells = _cells(person)
        sheet.append([cells.get(heading) for heading in headings])
    filled = io.BytesIO()
    workbook.save(filled)
    return filled.getvalue()


def resident_id(birth: date, sequence: int, region: str = "310110") -> str:
    """Returns a valid 18-digit number (GB 11643-1999)."""
    body = f"{region}{birth:%Y%m%d}{sequence:03d}"
    check = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, body, strict=True)) % 11
    return body + _CHECK_DIGITS[check]


def working_person(dice: random.Random) -> Person:
    """Makes somebody who passes the system check, with a resident ID."""
    return _person(dice, date(dice.randrange(1980, 2002), dice.randrange(1, 13), dice.randrange(1, 29)))


def with_expired_document(person: Person) -> Person:
    """Returns the person with a document that has expired."""
    person.document_expiry = "2024-01-31"
    person.why_not = "expired"
    return person


def _cells(person: Person) -> dict[str, str]:
    return {
        "姓名": person.name,
        "证件类型": person.document_type,
        "证件号码": person.document_number,
        "证件到期日": person.document_expiry,
        "国籍": person.nationality,
        "性别": person.sex,
        "出生日期": person.birth_date,
        "退休类别": person.retirement_category,
        "联系电话": person.phone,
        "地址": person.address,
    }


def _retired(dice: random.Random) -> Person:
    person = _person(dice, date(dice.randrange(1952, 1959), dice.randrange(1, 13), dice.randrange(1, 29)))
    person.document_expiry = LONG_TERM
    person.why_not = "retired"
    return person


def _with_wrong_check_digit(person: Person) -> Person:
    right = person.document_number[-1]
    person.document_number = person.document_number[:-1] + ("1" if right != "1" else "2")
    return person


def _person(dice: random.Random, birth: date) -> Person:
    is_man = dice.random() < 0.5
    sequence = 2 * dice.randrange(500) + (1 if is_man else 0)
    return Person(
        name=dice.choice(_FAMILY) + "".join(dice.sample(_GIVEN, dice.choice((1, 2)))),
        document_number=resident_id(birth, sequence, dice.choice(("310110", "310105", "310104", "310101", "310115"))),
        sex="男" if is_man else "女",
        birth_date=birth.isoformat(),
        retirement_category="M60" if is_man else dice.choice(("F50", "F55")),
        phone=_phone(dice),
        address=_address(dice),
    )


def _phone(dice: random.Random) -> str:
    return f"13{dice.randrange(10**9):09d}"


def _address(dice: random.Random) -> str:
    return f"上海市杨浦区{dice.choice(_ROADS)}{dice.randrange(1, 2000)}弄{dice.randrange(1, 99)}号"
