"""The unions and accounts of the city whose past is played, and who is signed in today."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import NamedTuple

from deploy.history.bank import Bank
from deploy.history.telling import Story
from deploy.local.client import ApiClient
from deploy.local.demo import union_code
from deploy.local.first_password import choose_first_password
from deploy.local.stack import Stack
from services.membership.seed import ACCOUNTS, demo_password

PASSWORD = "plum-blossom-and-pine"  # noqa: S105 - of accounts that exist in this demo only
"""Of the accounts that the city sets up; that of every demo's holds the product's name, which nobody may choose."""
_FIRST_SERIAL = 600_000_000
_FIRST_PHONE = 13_520_000_000
_SEEDED_ACCOUNTS = {account.account_name for account in ACCOUNTS}


@dataclass(frozen=True)
class Grassroots:
    """A union of an employer: its clerk's account, the account of who reviews its revocations, its district."""

    clerk: str
    reviewer: str
    district: str


@dataclass(frozen=True)
class NewUnion:
    """A union that the city sets up, with the account that works for it."""

    name: str
    account: str
    holder: str


@dataclass(frozen=True)
class NewDistrict:
    """A superior union, which has a reviewer and an administrator, with the unions that it sets up."""

    name: str
    account: str
    reviewer: str
    administrator: str
    unions: tuple[NewUnion, ...]


class Post(NamedTuple):
    """An account that a union sets up for somebody."""

    account: str
    role: str
    holder: str
    serial: int


SEEDED = (
    Grassroots("jianlang", "yangpu", "杨浦区"),
    Grassroots("guohua", "yangpu", "杨浦区"),
    Grassroots("gubei", "changning", "长宁区"),
    Grassroots("guoding", "wujiaochang", "杨浦区"),
)
NEW_DISTRICTS = (
    NewDistrict(
        "浦东新区总工会",
        "pudong",
        "钱敏",
        "冯涛",
        (
            NewUnion("上海东芯半导体有限公司工会", "dongxin", "徐静"),
            NewUnion("上海临海装备制造有限公司工会", "linhai", "马超"),
            NewUnion("上海滨江咨询服务有限公司工会", "binjiang", "何丽"),
        ),
    ),
    NewDistrict(
        "静安区总工会",
        "jingan",
        "朱明",
        "曹艳",
        (
            NewUnion("上海苏河酒店管理有限公司工会", "suhe", "高敏"),
            NewUnion("上海大宁文化传播有限公司工会", "daning", "罗杰"),
            NewUnion("上海静西医药有限公司工会", "jingxi", "梁霞"),
        ),
    ),
    NewDistrict(
        "徐汇区总工会",
        "xuhui",
        "宋刚",
        "许娟",
        (
            NewUnion("上海龙江电子有限公司工会", "longjiang", "邓勇"),
            NewUnion("上海衡西食品有限公司工会", "hengxi", "萧平"),
            NewUnion("上海滨南航空服务有限公司工会", "binnan", "田芳"),
        ),
    ),
)


@dataclass
class City:
    """The system that the past is played on."""

    stack: Stack
    bank: Bank
    today: date
    days_left: int
    """How many working days follow until the present."""
    begin: Callable[[Story, str], None]
    """Begins another story tomorrow, of a group."""
    done: Counter[str] = field(default_factory=Counter)
    """How many members were registered, batches submitted, cards issued and so on."""
    _signed_in: dict[str, tuple[date, ApiClient]] = field(default_factory=dict)

    def account(self, name: str) -> ApiClient:
        """A client that is signed in as this account, anew each day."""
        day, client = self._signed_in.get(name, (None, None))
        if client is None or day != self.today:
            password = demo_password() if name in _SEEDED_ACCOUNTS else PASSWORD
            client = self.anybody().sign_in(name, password)
            self._signed_in[name] = (self.today, client)
        return client

    def anybody(self) -> ApiClient:
        """A client that is not signed in."""
        return ApiClient(self.stack.gateway_url)


def set_up(city: City, districts: int) -> list[Grassroots]:
    """Lets the city's administrator set up so many districts, and these their unions; returns all grassroots unions."""
    serials = count(1)
    found = list(SEEDED)
    for district in NEW_DISTRICTS[:districts]:
        chief = city.account("city")
        union = _create(chief, district.name, "superior", next(serials))
        _hire(city, chief, union, Post(district.account, "reviewer", district.reviewer, next(serials)))
        office = Post(f"{district.account}-admin", "administrator", district.administrator, next(serials))
        _hire(city, chief, union, office)
        administrator = city.account(office.account)
        for new in district.unions:
            below = _create(administrator, new.name, "grassroots", next(serials))
            _hire(city, administrator, below, Post(new.account, "clerk", new.holder, next(serials)))
            found.append(Grassroots(new.account, district.account, district.name.removesuffix("总工会")))
    return found


def new_accounts() -> Iterator[tuple[str, str, str, str]]:
    """The accounts of all new unions: name, role, holder, union."""
    for district in NEW_DISTRICTS:
        yield district.account, "reviewer", district.reviewer, district.name
        yield f"{district.account}-admin", "administrator", district.administrator, district.name
        for union in district.unions:
            yield union.account, "clerk", union.holder, union.name


def _create(administrator: ApiClient, name: str, kind: str, serial: int) -> str:
    superior = administrator.account["union"]["union_id"]
    union = administrator.post(
        "unions",
        {"name": name, "kind": kind, "code": union_code(_FIRST_SERIAL + serial), "superior_union_id": superior},
    )
    return str(union["union_id"])


def _hire(city: City, administrator: ApiClient, union_id: str, post: Post) -> None:
    """Creates an account, whose holder sets the first password by the link in the text message."""
    phone = str(_FIRST_PHONE + post.serial)
    form = {"account_name": post.account, "display_name": post.holder, "roles": [post.role], "phone": phone}
    administrator.post(f"unions/{union_id}/accounts", form)
    choose_first_password(city.anybody(), phone, PASSWORD, city.stack.simulator_urls["sms"])
