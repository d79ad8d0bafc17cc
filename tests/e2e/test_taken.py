"""Consistent validation: every consumer accepts each person that the API accepts, up to the pending list."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.local.client import ApiProblem
from deploy.local.stack import Stack
from tests.desks import Desk, a_desk, people

PERSONS = 25
_ODD = "王芳伟𬎆䶮镕〇々·\u2022\u30fb.\u200b\u202d\u00a0 \u3000'\u2019-AaéJ\u0301１1☺\ue863\n\t\x07ﬁ"
_SPACING = ("", " ", "\u00a0", "\u200b", "\u202d", "\n", "\u3000")

names = st.one_of(
    st.sampled_from(["王芳", "O\u2019Brien", "阿卜杜拉•买买提", "张\u3000三", "佐々木"]),
    st.text(alphabet=st.sampled_from(_ODD), min_size=1, max_size=12),
    st.text(max_size=60),
)
nationalities = st.sampled_from([None, "CHN", "CHN\n", " chn ", "中国", "ＣＨＮ", "USA", "CN", "ZZZ", "", "\u200bCHN"])
phones = st.sampled_from(
    [None, "13812345678", "+86 138 1234 5678", "\u202d13812345678\u202c", "138\n12345678", "1381234"]
)
addresses = st.one_of(st.none(), st.text(max_size=30), st.just("浦东新区１２３弄\u00a04号\n"))
expiries = st.sampled_from([None, "2040-01-31", "9999-12-31", "2020-01-01", "2040-01-31\n", "长期"])


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Any]:
    """A person as strangers send one, but for the document's number, which is set later."""
    optional = {
        "nationality": draw(nationalities),
        "phone": draw(phones),
        "address": draw(addresses),
        "document_expiry": draw(expiries),
    }
    return {"name": draw(names), "spacing": draw(st.sampled_from(_SPACING)), **optional}


def is_taken(desk: Desk, form: dict[str, Any]) -> bool:
    """Whether the API registers this person; anything but a refusal by field is an error."""
    try:
        desk.clerk.post("members", form)
    except ApiProblem as problem:
        if problem.status not in (400, 422):
            raise
        return False
    return True


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=st.lists(forms(), min_size=PERSONS, max_size=PERSONS))
def test_whoever_the_api_takes_is_found_on_the_pending_list(stack: Stack, drawn: list[dict[str, Any]]) -> None:
    desk = a_desk(stack.gateway_url)
    taken = 0
    for form, person in zip(drawn, people(PERSONS), strict=True):
        number = form.pop("spacing").join((person.document_number[:6], person.document_number[6:]))
        taken += is_taken(desk, {**form, "document_type": "resident_id", "document_number": number})
    [person] = people(1)
    desk.register(person)
    desk.queue_all()

    counts = desk.clerk.get("pending", size=1)["counts"]
    assert counts["ordinary"]["total"] + counts["special"]["total"] == taken + 1
    assert desk.clerk.get("members", card_state="none")["total"] == 0
