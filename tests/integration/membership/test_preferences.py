"""Preferences that the pages keep for an account."""

import pytest

from services.contracts.operations.membership.preferences import (
    MOST_PREFERENCES,
    GetPreferencesRequest,
    SavePreferenceRequest,
)
from services.kit.problems import Conflict
from services.kit.rpc.methods import Caller
from services.membership.identity.preferences import get_preferences, save_preference
from tests.integration.membership.office import Office, an_account


def save(office: Office, caller: Caller, name: str, value: str) -> None:
    with office.begin() as session:
        save_preference(office.work(session, caller), SavePreferenceRequest(name=name, value=value))


def kept(office: Office, caller: Caller) -> dict[str, str]:
    with office.begin() as session:
        items = get_preferences(office.work(session, caller), GetPreferencesRequest()).items
    return {item.name: item.value for item in items}


def test_the_last_value_of_a_preference_is_kept_for_this_account_alone(office: Office) -> None:
    save(office, office.registrar, "list.size", "50")
    save(office, office.registrar, "list.size", "100")
    save(office, office.registrar, "list.members", '{"hidden": ["card_no"]}')

    assert kept(office, office.registrar) == {"list.members": '{"hidden": ["card_no"]}', "list.size": "100"}
    assert kept(office, an_account(office, office.other, "reviewer")) == {}


def test_an_account_cannot_fill_the_database(office: Office) -> None:
    for number in range(MOST_PREFERENCES):
        save(office, office.registrar, f"list.{number}", "1")

    with pytest.raises(Conflict) as refusal:
        save(office, office.registrar, "list.one-more", "1")
    assert refusal.value.code == "too_many_preferences"
    save(office, office.registrar, "list.1", "2")
    assert len(kept(office, office.registrar)) == MOST_PREFERENCES
