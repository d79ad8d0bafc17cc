"""Rate limits: how many requests an account or an address may make, over all processes of the gateway."""

from typing import Any

import pytest

from gateway.gossip import CounterGossip
from gateway.limits import Allowance, Budget, Limits
from gateway.routes import file_route, rpc_route
from gateway.stream import Streams, TooManyStreams
from services.kit.rpc.operation import operation_of
from services.kit.secret_values import Secret
from services.kit.settings import MessagingSettings
from tests import policy_rows
from tests.gateway_page import Clock, Page, a_caller, a_session

OFFICE = "192.0.2.1"
NOWHERE = MessagingSettings(Secret("amqp://guest:guest@127.0.0.1:1/"))


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.pass_by(-clock.seconds % 60)
    return clock


def limits_of(clock: Clock, per_account: int = 0, per_address: int = 0) -> Limits:
    return Limits({"reads": Budget(per_account, per_address)}, now=clock)


def authorized(limits: Limits, times: int, account: str | None = "wang", address: str = OFFICE) -> int:
    """How many of so many requests are let in."""
    return sum(is_let_in(limits, account, address) for _ in range(times))


def is_let_in(limits: Limits, account: str | None, address: str) -> bool:
    of_address = limits.count_address("reads", address)
    if of_address and of_address.is_exceeded:
        return False
    of_account = limits.count_account("reads", a_caller(account_id=account) if account else None)
    return not (of_account and of_account.is_exceeded)


def allowance_of(limits: Limits, account: str = "wang") -> Allowance:
    allowance = limits.count_account("reads", a_caller(account_id=account))
    assert allowance
    return allowance


def test_an_account_is_allowed_as_many_requests_as_its_budget(clock: Clock) -> None:
    limits = limits_of(clock, per_account=10)

    assert authorized(limits, 15) == 10
    assert authorized(limits, 15, account="li") == 10


def test_an_address_is_counted_over_its_accounts(clock: Clock) -> None:
    limits = limits_of(clock, per_address=10)

    assert authorized(limits, 6, "wang") + authorized(limits, 6, "li") + authorized(limits, 6, None) == 10
    assert authorized(limits, 6, address="192.0.2.2") == 6


def test_what_one_customer_has_of_ipv6_is_one_address(clock: Clock) -> None:
    limits = limits_of(clock, per_address=10)

    assert authorized(limits, 10, address="2001:db8::1") == 10
    assert authorized(limits, 1, address="2001:db8::ffff:1") == 0
    assert authorized(limits, 1, address="2001:db8:0:1::1") == 1


def test_an_ipv4_address_is_the_same_in_the_dress_of_ipv6(clock: Clock) -> None:
    limits = limits_of(clock, per_address=1)

    assert authorized(limits, 1, address="::ffff:192.0.2.1") == 1
    assert authorized(limits, 1, address="192.0.2.1") == 0


def test_without_a_budget_all_requests_are_allowed_without_headers(clock: Clock) -> None:
    limits = limits_of(clock)

    assert limits.count_address("reads", OFFICE) is limits.count_account("reads", a_caller()) is None


def test_a_client_that_waits_for_retry_after_is_allowed(clock: Clock) -> None:
    limits = limits_of(clock, per_account=10)
    clock.pass_by(45)
    authorized(limits, 10)

    spent = allowance_of(limits)
    clock.pass_by(spent.seconds - 1)
    assert allowance_of(limits).is_exceeded
    clock.pass_by(1)

    assert not allowance_of(limits).is_exceeded


def test_a_new_minute_does_not_double_the_budget(clock: Clock) -> None:
    limits = limits_of(clock, per_account=60)
    clock.pass_by(59)
    assert authorized(limits, 60) == 60

    clock.pass_by(2)

    assert authorized(limits, 60) == 1


def test_what_is_refused_costs_nothing(clock: Clock) -> None:
    limits = limits_of(clock, per_account=10)
    authorized(limits, 1000)

    clock.pass_by(120)

    assert authorized(limits, 10) == 10


def test_requests_that_other_processes_allowed_count_here(clock: Clock) -> None:
    here, there = limits_of(clock, per_account=10), limits_of(clock, per_account=10)
    authorized(there, 6)

    here.apply_counts("there", there.take_unpublished())

    assert authorized(here, 10) == 4


def test_counts_received_twice_count_once_and_a_lost_one_comes_with_the_next(clock: Clock) -> None:
    here, there = limits_of(clock, per_account=100), limits_of(clock, per_account=100)
    authorized(there, 10)
    there.take_unpublished()
    authorized(there, 10)
    published = there.take_unpublished()

    here.apply_counts("there", published)
    here.apply_counts("there", published)

    assert allowance_of(here).remaining == 100 - 20 - 1


def test_nothing_is_published_twice_and_old_windows_are_deleted(clock: Clock) -> None:
    limits = limits_of(clock, per_account=100)
    authorized(limits, 1)
    assert len(limits.take_unpublished()) == 1
    assert limits.take_unpublished() == []

    authorized(limits, 1)
    clock.pass_by(180)

    assert limits.take_unpublished() == []


def test_streams_at_other_processes_count_until_these_fall_silent() -> None:
    clock, limits = Clock(), limits_of(Clock())
    there = CounterGossip(NOWHERE, limits, lambda: {"wang": 3}, clock)
    here = CounterGossip(NOWHERE, limits, dict, clock)
    next_message = there.next_message()
    assert next_message

    here.receive(next_message)
    there.receive(next_message)

    assert (here.streams_elsewhere("wang"), here.streams_elsewhere("li")) == (3, 0)
    assert there.streams_elsewhere("wang") == 0
    clock.pass_by(21)
    assert here.streams_elsewhere("wang") == 0


def test_open_streams_are_published_when_they_change_and_periodically() -> None:
    clock, streams = Clock(), {"wang": 1}
    gossip = CounterGossip(NOWHERE, limits_of(Clock()), lambda: dict(streams), clock)

    def published() -> Any:
        next_message = gossip.next_message()
        return next_message and next_message["streams"]

    assert published() == {"wang": 1}
    assert published() is None
    clock.pass_by(5)
    assert published() == {"wang": 1}
    streams.clear()
    assert published() == {}
    clock.pass_by(5)
    assert published() is None


def test_an_account_has_so_many_streams_and_no_more_until_one_ends() -> None:
    elsewhere = {a_session().caller.account_id: 1}
    streams = Streams(Clock(), most_per_account=3, elsewhere=lambda account: elsewhere.get(account, 0))
    pages = [streams.listen(a_session()) for _ in range(2)]
    for page in pages:
        next(page)

    with pytest.raises(TooManyStreams):
        streams.listen(a_session())
    next(streams.listen(a_session(account_id="0192f0c1-0000-7000-8000-0000000000bb")))
    pages[0].close()  # type: ignore[attr-defined]

    next(streams.listen(a_session()))


for _own in ("membership.list", "membership.enrol", "membership.change", "batching.get"):
    policy_rows.authorized(_own, "clerk")
policy_rows.authorized("membership.look", "anonymous")

ROUTES = (
    rpc_route("GET", "/members", operation_of("membership.list"), summary=""),
    rpc_route("POST", "/members", operation_of("membership.enrol"), summary=""),
    rpc_route("POST", "/sessions", operation_of("membership.look"), summary=""),
    rpc_route("POST", "/password", operation_of("membership.change"), has_secrets=True, summary=""),
    file_route("/a.pdf", operation_of("batching.get"), content_type="application/pdf", summary=""),
    rpc_route("GET", "/healthz", operation_of("membership.look"), is_unlimited=True, summary=""),
)


def test_each_route_counts_as_what_it_is() -> None:
    kinds = {f"{route.method} {route.path}": route.kind for route in ROUTES}

    assert kinds == {
        "GET /members": "reads",
        "POST /members": "writes",
        "POST /sessions": "sensitive",
        "POST /password": "sensitive",
        "GET /a.pdf": "files",
        "GET /healthz": None,
    }


@pytest.fixture
def page(clock: Clock) -> Page:
    page = Page(ROUTES)
    page.limits = Limits({kind: Budget(2, 3) for kind in ("reads", "writes", "files", "sensitive")}, now=clock)
    page.services["membership"].answers = {"list": {}, "enrol": {}, "look": {}, "sign_in": {}, "change": {}}
    page.sign_in_as("clerk")
    return page


def test_one_request_too_many_is_a_429_that_says_when_to_come_back(page: Page) -> None:
    first, _, refused = (page.get("/members") for _ in range(3))

    assert (first.status_code, first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == (
        200,
        "2",
        "1",
    )
    assert (refused.status_code, refused.get_json(force=True)["code"]) == (429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) == int(refused.headers["RateLimit-Reset"]) > 0
    assert len(page.services["membership"].calls) == 2


def test_kinds_of_requests_are_counted_apart(page: Page) -> None:
    assert [page.get("/members").status_code for _ in range(3)][-1] == 429

    assert page.post("/members", json={}).status_code == 200
    assert page.post("/sessions", json={}).status_code == 200


def test_who_is_not_signed_in_is_counted_by_the_address(page: Page) -> None:
    page.delete_cookie("session")

    statuses = [page.post("/sessions", json={}).status_code for _ in range(4)]

    assert statuses == [200, 200, 200, 429]
    assert page.post("/sessions", json={}, environ_base={"REMOTE_ADDR": OFFICE}).status_code == 200


def test_refused_sign_ins_and_roles_count_too(page: Page) -> None:
    page.delete_cookie("session")

    assert [page.get("/members").status_code for _ in range(4)] == [401, 401, 401, 429]


def test_monitors_are_never_refused(page: Page) -> None:
    responses = [page.get("/healthz") for _ in range(10)]

    assert {response.status_code for response in responses} == {200}
    assert "RateLimit-Limit" not in responses[0].headers
