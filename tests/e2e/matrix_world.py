"""The data of the policy matrix: related unions with one object of every kind, and a session for each role.

city ─┬─ 杨浦 ─── above ─── own ─── below
      └─ beside ─── foreign
"""

import csv
import io
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from deploy.local.client import ApiClient, wait_until
from deploy.local.first_password import choose_first_password
from deploy.local.stack import Stack
from services.membership.seed import FLEXIBLE_PHONES, demo_password
from tests import phones
from tests.desks import a_phone, limited, once_found
from tests.mothers import a_union_code

RELATIONS = ("own", "below", "above", "foreign")
NOBODYS_ID = "0192f0c1-0000-7000-8000-00000000dead"
PASSWORD = "green tea at half past four"

Thing = dict[str, str]
"""The ids of one union's objects, by their names in paths and bodies."""


@dataclass(frozen=True)
class World:
    """`things` are by relation, `callers` by role; staff belong to the union `own`."""

    things: dict[str, Thing]
    callers: dict[str, ApiClient]
    outlet: dict[str, str]


def build(stack: Stack) -> World:
    """Creates everything through the API, as administrators and clerks would."""
    city = ApiClient(stack.gateway_url).sign_in("city", demo_password())
    district = ApiClient(stack.gateway_url).sign_in("yangpu-admin", demo_password())
    own_city = city.account["union"]["union_id"]
    above = _found(city, district.account["union"]["union_id"], "superior")
    own = _found(city, above, "superior")
    unions = {
        "above": above,
        "own": own,
        "below": _found(city, own, "grassroots"),
        "foreign": _found(city, _found(city, own_city, "superior"), "grassroots"),
    }
    outlet = city.get("outlets", q="国华广场")["items"][0]
    place = {"branch_code": outlet["branch_code"], "outlet_code": outlet["code"]}
    roles = {role: an_account(city, own, [role]) for role in ("reviewer", "administrator")}
    # Nobody may decide on requests of an account of the same administrator.
    makers = {**dict.fromkeys(RELATIONS, district), "foreign": city}
    clerks = {relation: an_account(makers[relation], union_id, ["clerk"]) for relation, union_id in unions.items()}
    beside = _found(city, district.account["union"]["union_id"], "superior")
    targets = {
        **dict.fromkeys(("own", "above"), beside),
        "below": _found(city, own, "superior"),
        "foreign": _found(city, own_city, "superior"),
    }
    things = {relation: _stock(clerks[relation], unions[relation], place) for relation in RELATIONS}
    for relation, thing in things.items():
        account_id = an_account(city, thing["union_id"], ["clerk"]).account["account_id"]
        asked = {"phone": a_phone(), "reason": "矩阵"}
        change = makers[relation].post(f"accounts/{account_id}/phone-changes", asked)
        thing |= {"account_id": account_id, "change_id": change["change_id"]}
        move = {"kind": "move", "target_union_id": targets[relation], "reason": "矩阵"}
        asked_move = makers[relation].post(f"unions/{thing['union_id']}/changes", move)
        thing["union_change_id"] = asked_move["change_id"]
        thing["act_id"] = _act_on(city, thing["member_id"])
        member_no = clerks[relation].get(f"members/{thing['member_id']}")["member_no"]
        copy = {"member_no": member_no, "kind": "copy", "reason": "矩阵"}
        thing["request_id"] = makers[relation].post("subject-requests", copy)["request_id"]
    things["own"]["session_id"] = NOBODYS_ID  # ending one's own session would end the matrix
    return World(
        things,
        {
            "clerk": clerks["own"],
            **roles,
            "operator": ApiClient(stack.gateway_url).sign_in("ops", demo_password()),
            "member": phones.signed_in(stack, FLEXIBLE_PHONES[0]),
            "limited": an_account(city, own, ["clerk"], is_limited=True),
            "anonymous": ApiClient(stack.gateway_url),
        },
        place,
    )


def _found(city: ApiClient, superior: str, kind: str) -> str:
    code = a_union_code(uuid4().int % 10**9)
    given = {"name": f"矩阵工会{code[8:17]}", "code": code, "superior_union_id": superior, "kind": kind}
    union_id: str = city.post("unions", given)["union_id"]
    return union_id


def an_account(maker: ApiClient, union_id: str, roles: list[str], *, is_limited: bool = False) -> ApiClient:
    """Returns a session of a new account; with `is_limited` it still needs the second factor."""
    name, phone = f"matrix-{uuid4().hex[:10]}", a_phone()
    given = {"account_name": name, "display_name": "矩阵", "roles": roles, "phone": phone}
    maker.post(f"unions/{union_id}/accounts", given)
    client = ApiClient(maker.base)
    choose_first_password(client, phone, PASSWORD)
    client.sign_in(name, PASSWORD)
    return limited(client, name, PASSWORD) if is_limited else client


def _stock(clerk: ApiClient, union_id: str, place: dict[str, str]) -> Thing:
    """Creates one object of every kind in the clerk's union; passports take the special channel."""
    members = [_register(clerk) for _ in range(2)]
    numbered = wait_until(lambda: _all_numbered(clerk, members), "the members have numbers")
    assert len(numbered) == len(members)
    batch_no = _submit(clerk, members[0], place)
    request = {
        "batch_no": batch_no,
        "applicant_name": "矩阵",
        "applicant_phone": "13911112222",
        "reason_code": "information",
        "reason": "3 人的证件到期日填错",
    }
    revocation = once_found(lambda: clerk.post("revocations", request), "revocation has heard of the batch")
    clerk.post("members/queue", {"member_ids": [members[1]]})
    pending = wait_until(lambda: clerk.get("pending", channel="special")["items"], "the member is listed")
    return {
        "union_id": union_id,
        "session_id": clerk.get("me/sessions")["items"][0]["session_id"],
        "member_id": members[1],
        "application_id": pending[0]["application_id"],
        "batch_no": batch_no,
        "revocation_id": revocation["revocation_id"],
        "import_id": clerk.upload("members/imports", "empty.csv", _an_empty_sheet(clerk))["import_id"],
    }


def _act_on(city: ApiClient, member_id: str) -> str:
    """Returns the id of an audit event of a clerk on a member."""
    query = {"record_kind": "member", "record_id": member_id}
    acts = wait_until(lambda: city.get("audit", **query)["items"], "the act is in the log")
    act_id: str = acts[0]["act_id"]
    return act_id


def _register(clerk: ApiClient) -> str:
    person = {
        "name": "MATRIX",
        "document_type": "passport",
        "document_number": f"M{uuid4().int % 10**9:09d}",
        "document_expiry": "2035-01-01",
        "nationality": "GBR",
        "phone": "13800000000",
        "birth_date": "1985-06-15",
        "sex": "male",
        "retirement_category": "M60",
    }
    member_id: str = clerk.post("members", person)["member_id"]
    return member_id


def _all_numbered(clerk: ApiClient, members: list[str]) -> list[Any] | None:
    numbers = [clerk.get(f"members/{member_id}")["member_no"] for member_id in members]
    return numbers if all(numbers) else None


def _submit(clerk: ApiClient, member_id: str, place: dict[str, str]) -> str:
    clerk.post("members/queue", {"member_ids": [member_id]})
    wait_until(lambda: clerk.get("pending", channel="special")["items"], "the member is listed")
    clerk.post("pending/validate", {"channel": "special"})
    wait_until(lambda: clerk.get("pending")["counts"]["special"]["passed"], "the check has passed")
    contact = {"contact_name": "矩阵", "contact_phone": "13911112222"}
    consent = {"consent_version": clerk.get("consent-text")["version"]}
    batch_no: str = clerk.post("batches", {"channel": "special", **place, **contact, **consent})["batch_no"]
    return batch_no


def _an_empty_sheet(clerk: ApiClient) -> bytes:
    sheet = io.StringIO()
    csv.writer(sheet).writerow(["姓名", "证件类型", "证件号码"])
    return sheet.getvalue().encode("utf-8-sig")
