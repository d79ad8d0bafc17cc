"""Retention: each table has a line, terms are settings, and what a term may not be is refused."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, Table
from uuid_utils.compat import uuid7

from deploy import databases_document, retention_document
from deploy.permissions import SERVICES
from services.kit.data.retention import Days, Expiring, first_id_of
from services.kit.settings import SettingsError
from services.membership.retention import MembershipTerms
from services.notification.retention import NotificationTerms


@pytest.mark.parametrize("service", SERVICES)
def test_each_table_has_one_line(service: str) -> None:
    named = sorted(one.table for one in retention_document.retention_of(service))
    assert named == sorted(databases_document.base_of(service).metadata.tables)


def test_a_table_without_a_line_fails_the_check_of_documents() -> None:
    metadata = databases_document.base_of("revocation").metadata
    table = Table("unheard_of", metadata, Column("id", Integer, primary_key=True))
    try:
        with pytest.raises(LookupError, match="tables of revocation differ: unheard_of"):
            retention_document.text()
    finally:
        metadata.remove(table)


def test_each_term_that_is_a_setting_is_a_setting_of_the_service() -> None:
    for service in SERVICES:
        for one in retention_document.retention_of(service):
            if isinstance(one, Expiring) and isinstance(one.term, Days):
                assert one.days > 0
                assert one.term.settings.__module__ in ("services.kit.data.retention", f"services.{service}.retention")


def test_every_line_has_a_reason() -> None:
    for service in SERVICES:
        assert [one.table for one in retention_document.retention_of(service) if len(one.why) < 5] == []


@pytest.mark.parametrize(
    ("terms", "name", "least"),
    [
        (MembershipTerms, "record_days", 1095),
        (NotificationTerms, "message_days", 180),
        (NotificationTerms, "sms_days", 180),
    ],
)
def test_a_term_below_what_the_law_or_the_invariants_need_is_refused(terms: type, name: str, least: int) -> None:
    assert getattr(terms(**{name: least}), name) == least
    with pytest.raises(SettingsError, match=f"{name.upper()}: at least {least} days"):
        terms(**{name: least - 1})


_MOMENTS = st.integers(1, 2**34).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(_MOMENTS, st.integers(1, 10**9))
def test_ids_of_earlier_moments_are_smaller_and_those_of_later_ones_are_not(
    moment: datetime, microseconds: int
) -> None:
    bound = first_id_of(moment)
    assert _an_id_of(moment - timedelta(milliseconds=1), low=2**80 - 1) < bound <= _an_id_of(moment, low=0)
    assert bound <= _an_id_of(moment + timedelta(microseconds=microseconds), low=0)


def test_an_id_that_was_made_before_is_older_than_the_next_second() -> None:
    now = datetime.now(UTC)
    assert first_id_of(now - timedelta(seconds=1)) < uuid7() < first_id_of(now + timedelta(seconds=5))


def _an_id_of(moment: datetime, low: int) -> UUID:
    return UUID(int=(int(moment.timestamp() * 1000) << 80) + low)
