"""What happens in the city beside the rounds of cards: announcements, deputies, transfers, members on the phone."""

import re
from datetime import timedelta
from functools import partial
from random import Random

import requests

from deploy.history.city import City
from deploy.history.telling import Story
from deploy.history.unions import register
from deploy.local.client import ApiClient, wait_until
from deploy.local.demo_people import Person, working_person
from services.membership.seed import FLEXIBLE_PHONES

_CODE = re.compile(r"\d{6}")
_ANNOUNCEMENTS = (
    ("关于做好新入会职工办卡工作的通知", "请各基层工会在职工入会后一个月内完成办卡，逐一核对证件到期日。"),
    ("关于银行网点服务时间的提示", "节假日期间部分网点暂停制卡，办卡批次将在节后依次处理。"),
    ("关于及时处理超期事项的提醒", "待办会员列表中校验未通过的人员，请在三个工作日内修改或移除。"),
    ("关于核对领卡信息的提示", "会员领卡后，请在领卡管理中核对领卡日期；长期未领的，请联系会员本人。"),
)


def announcements(city: City) -> Story:
    """The city announces something every few weeks."""
    for title, body in _ANNOUNCEMENTS:
        yield 24
        city.account("city").post("announcements", {"title": title, "body": body, "places": ["workbench"]})
        city.done["announcements"] += 1


def deputies(city: City) -> Story:
    """A reviewer is away for two weeks, and names a deputy each time."""
    while True:
        yield 30
        reviewer = city.account("wujiaochang")
        deputy = reviewer.get("delegations/deputies")["items"][0]["account_id"]
        form = {
            "deputy_id": deputy,
            "first_day": city.today.isoformat(),
            "last_day": (city.today + timedelta(days=14)).isoformat(),
            "reason": "外出培训",
        }
        reviewer.post("delegations", form)


def transfers(city: City, dice: Random) -> Story:
    """Members change their employer: the former union agrees or declines."""
    leaving = [working_person(dice) for _ in range(6)]
    yield 10
    register(city, city.account("guohua"), leaving)
    for number, person in enumerate(leaving):
        yield 14
        _request_transfer(city, person)
        yield 2
        _answer_transfers(city, declines=number % 3 == 2)


def waiting_transfer(city: City, dice: Random) -> Story:
    """A member changes the employer, and the former union has not answered yet."""
    person = working_person(dice)
    register(city, city.account("guohua"), [person])
    yield 1
    _request_transfer(city, person)


def members_on_the_phone(city: City, dice: Random) -> Story:
    """Members in flexible employment apply on their phone, and the bank makes their cards."""
    for phone in FLEXIBLE_PHONES:
        yield 27
        member = _signed_in(city, phone)
        outlet = member.get("outlets", q="国华")["items"][0]
        consent = member.get("consent-text")["version"]
        member.post("personal/applications", {"outlet_code": outlet["code"], "consent_version": consent})
        batch_no = wait_until(partial(_batch_of, member), "the application is submitted")
        city.bank.wait_for(batch_no, 1)
        city.done["applied on the phone"] += 1
        yield 2
        city.bank.accept(batch_no)
        yield 4
        city.bank.decide(batch_no, dice)


def unreadable_message(city: City) -> Story:
    """The bank sends something that nobody can read: it waits for an operator."""
    city.bank.send_unreadable(f'{{"feedback_id": "F{city.today:%Y%m%d}-7"')
    yield 1


def _request_transfer(city: City, person: Person) -> None:
    asked = {"name": person.name, "document_type": "resident_id", "document_number": person.document_number}
    city.account("jianlang").post("transfers", {**asked, "reason": "已与我单位签订劳动合同"})


def _answer_transfers(city: City, *, declines: bool) -> None:
    clerk = city.account("guohua")
    for transfer in clerk.get("transfers", state="requested")["items"]:
        path = f"transfers/{transfer['transfer_id']}"
        if declines:
            clerk.post(f"{path}/decline", {"remark": "该职工仍在我单位工作"})
        else:
            clerk.post(f"{path}/accept")


def _signed_in(city: City, phone: str) -> ApiClient:
    """A member who is signed in by the password in a text message."""
    member, messages = city.anybody(), f"{city.stack.simulator_urls['sms']}/messages"

    def texts() -> list[str]:
        sent = requests.get(messages, params={"phone": phone}, timeout=30).json()["items"]
        return [one["text"] for one in sent if "验证码" in one["text"]]

    before = len(texts())
    member.request_code(phone)
    wait_until(lambda: len(texts()) > before, "the password has come")
    code = _CODE.search(texts()[-1])
    assert code is not None  # noqa: S101 - it is a message with a password
    member.post("personal/sessions", {"phone": phone, "code": code[0]})
    return member


def _batch_of(member: ApiClient) -> str | None:
    newest = member.get("personal/applications")["items"][0]
    return str(newest["batch_no"]) if newest["batch_no"] else None
