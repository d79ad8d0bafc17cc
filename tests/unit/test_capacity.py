"""The simulation of queues agrees with queueing theory, serves queues in turn, and loses nothing."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.capacity import measured
from deploy.capacity.city import BUSY_SHARE, NODES, PROGRAMS, SIZES, City
from deploy.capacity.measured import Measured
from deploy.capacity.queues import Arrival, Step, percentile, simulate


def arrivals(a_second: float, seconds: float, number: int) -> Iterator[Arrival]:
    drawn = random.Random(7)
    at = 0.0
    for _ in range(number):
        at += drawn.expovariate(a_second)
        yield Arrival(at, "work", Step("one", seconds))


def a_city(members: int, gateway: float = 2.0) -> City:
    one = dict.fromkeys((*PROGRAMS, *NODES), 0.2)
    kinds = {kind: {**one, "gateway": gateway} for kind in ("read", "check", "issue")}
    return City(members, Measured(kinds, {}, {}))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.8])
def test_the_mean_wait_for_one_process_is_that_of_pollaczek_and_khinchine(share: float) -> None:
    took = simulate(arrivals(share / 0.01, 0.01, 20_000), {"one": 1}).took["work"]
    wait = 0.01 * share / (2 * (1 - share))
    assert sum(took) / len(took) - 0.01 == pytest.approx(wait, rel=0.1)


def test_a_second_process_halves_what_a_burst_takes() -> None:
    burst = [Arrival(0.0, "work", Step("one", 0.5))] * 100
    assert simulate(burst, {"one": 1}).ended["work"] == pytest.approx(50)
    assert simulate(burst, {"one": 2}).ended["work"] == pytest.approx(25)


def test_a_flood_of_one_kind_delays_another_by_one_message() -> None:
    flood = [Arrival(0.0, "flood", Step("one", 1.0))] * 50
    course = simulate([*flood, Arrival(10.5, "page", Step("one", 0.1))], {"one": 1})
    assert course.took["page"] == [pytest.approx(0.6)]


def test_work_ends_when_the_last_of_what_follows_from_it_is_done() -> None:
    following = [Step("two", 2.0), Step("three", 3.0, [Step("two", 1.0)])]
    course = simulate([Arrival(1.0, "work", Step("one", 1.0, following))], {"one": 1, "two": 1, "three": 1})
    assert course.took["work"] == [5.0]
    assert course.ended["work"] == 6.0


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 2), st.sampled_from("abc")), max_size=40), st.integers(1, 4)
)
def test_all_work_is_done_and_every_second_of_it_counted(
    given_work: list[tuple[float, float, str]], number: int
) -> None:
    course = simulate([Arrival(at, kind, Step("one", seconds)) for at, seconds, kind in given_work], {"one": number})
    assert sum(map(len, course.took.values())) == len(given_work)
    assert course.busy["one"] == pytest.approx(sum(seconds for _, seconds, _ in given_work))
    least = min((seconds for _, seconds, _ in given_work), default=0)
    assert all(took >= least - 1e-9 for took in course.took["a"])


@pytest.mark.parametrize("members", SIZES)
def test_the_busiest_hour_leaves_each_process_half_of_its_time(members: int) -> None:
    city = a_city(members)
    for program in PROGRAMS:
        assert city.busy[program] <= BUSY_SHARE * city.processes[program]


@pytest.mark.parametrize("members", SIZES)
def test_the_burst_takes_no_more_cores_than_there_are(members: int) -> None:
    city = a_city(members)
    processor_seconds = city.results_an_hour * sum(city.measured.milliseconds["issue"].values()) / 1000
    assert city.burst.ended["issue"] >= processor_seconds / city.cores


def test_costlier_work_takes_more_processes() -> None:
    assert a_city(10_000_000, gateway=40).processes["gateway"] > a_city(10_000_000).processes["gateway"]


def test_all_results_of_the_burst_are_settled() -> None:
    city = a_city(1_000_000)
    assert len(city.burst.took["issue"]) == city.results_an_hour / 100


def test_a_percentile_is_a_figure_of_the_list() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0], 0.99) == 1.0
    assert percentile([], 0.99) == 0.0


def test_the_disk_of_a_city_that_takes_hours_to_fill_is_kept_when_smaller_ones_are_measured_again(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "_FILE", tmp_path / "measured.json")  # type: ignore[operator]
    measured.keep(milliseconds={}, memory={}, disk={10: {"batching": 1}, 10_000_000: {"batching": 9}})
    measured.keep_disk({10: {"batching": 2}})
    assert measured.read().disk == {10: {"batching": 2}, 10_000_000: {"batching": 9}}


def test_newly_measured_figures_replace_those_of_their_name_alone(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "_FILE", tmp_path / "measured.json")  # type: ignore[operator]
    measured.keep(milliseconds={"read": {"gateway": 1.0}}, memory={"gateway": [50, 90]}, disk={10: {"batching": 7}})
    measured.keep(memory={"gateway": [60, 80]})
    assert measured.read() == Measured({"read": {"gateway": 1.0}}, {"gateway": (60, 80)}, {10: {"batching": 7}})
