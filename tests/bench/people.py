"""Generates any number of people with valid documents; a few of them fail the system check."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from tests.mothers import a_resident_number

_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = "伟芳娜秀英敏静丽强磊军洋勇艳杰涛明超霞平刚桂兰辉玲丹萍鹏华红玉飞斌梅琳建文"
_ROADS = ("闸殷路", "黄兴路", "国定路", "控江路", "四平路", "长阳路", "平凉路", "翔殷路")
_FIRST_BIRTH = date(1976, 1, 1)
_DAYS_OF_BIRTH = 4000
_EVERY = 40
_EXPIRED, _WITHOUT_EXPIRY = 0, 1


def make_people(start: int, number: int) -> Iterator[dict[str, Any]]:
    """Yields people as a clerk registers them, numbered from `start`, each number with its own document.

    All have resident IDs and common names, which is the ordinary channel. One in twenty fails the system check, half
    of them by an expired document, half by a missing expiry date.
    """
    return (_person(serial) for serial in range(start, start + number))


def card_number(serial: int) -> str:
    """Returns a valid card number of 16 digits, unique for each serial."""
    body = f"622478{serial:09}"
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in body[::-2])
    return f"{body}{-(doubled + sum(map(int, body[-2::-2]))) % 10}"


def _person(serial: int) -> dict[str, Any]:
    day, sequence = serial % _DAYS_OF_BIRTH, serial // _DAYS_OF_BIRTH
    birth_date = _FIRST_BIRTH + timedelta(days=day)
    number = a_resident_number(birth_date, "male", sequence=sequence)
    kind = serial % _EVERY
    return {
        "name": _FAMILY[serial % len(_FAMILY)] + _GIVEN[serial // 7 % len(_GIVEN)] + _GIVEN[serial // 3 % len(_GIVEN)],
        "document_type": "resident_id",
        "document_number": number,
        "document_expiry": {_EXPIRED: date(2020, 8, 8), _WITHOUT_EXPIRY: None}.get(kind, date(2035, 8, 8)),
        "document_issued": date(2015, 8, 8),
        "birth_date": birth_date,
        "sex": "male",
        "nationality": "CHN",
        "phone": f"138{serial % 10**8:08}",
        "address": f"上海市杨浦区{_ROADS[serial % len(_ROADS)]}{serial % 2000 + 1}号",
        "retirement_category": "M60",
        "special_retirement_month": None,
    }
