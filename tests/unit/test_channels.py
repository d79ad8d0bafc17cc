"""Channels: the one that the rules choose for an application, and when the clerk may switch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.batching.pending.channels import Charset, channel_for

CHARSETS: tuple[Charset, ...] = ("gb2312", "gbk", "gb18030")


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("name", ["王建国", "阿依古丽·买买提"])
def test_a_plain_name_with_a_resident_id_takes_the_ordinary_channel(name: str, charset: Charset) -> None:
    choice = channel_for("resident_id", name, charset)
    assert (choice.channel, choice.reason_code, choice.reason, choice.locked) == ("ordinary", None, None, False)


@pytest.mark.parametrize(
    "document_type",
    [
        "hmt_residence_permit",
        "foreign_permanent_resident_id",
        "mainland_travel_permit_hm",
        "mainland_travel_permit_tw",
        "passport",
        "military_officer_id",
    ],
)
def test_another_document_locks_the_special_channel(document_type: str) -> None:
    choice = channel_for(document_type, "王𬎆", "gb18030")
    assert (choice.channel, choice.reason_code, choice.locked) == ("special", "document_type", True)


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("rare", ["䶮", "㛃", "鿏", "𬎆", "𫖯", "𠅤"])
def test_a_rare_character_takes_the_special_channel_until_the_clerk_switches(rare: str, charset: Charset) -> None:
    choice = channel_for("resident_id", f"王{rare}{rare}", charset)
    assert (choice.channel, choice.reason_code, choice.locked) == ("special", "rare_character", False)
    assert f"“{rare}”" in (choice.reason or "")


@pytest.mark.parametrize("character", ["镕", "喆", "堃", "龑"])
def test_a_character_only_gbk_has_is_warned_of_at_a_branch_that_takes_gb2312(character: str) -> None:
    warned = channel_for("resident_id", f"王{character}", "gb2312")
    assert (warned.channel, warned.reason_code, warned.locked) == ("ordinary", "outside_branch_charset", False)
    assert f"“{character}”" in (warned.reason or "")
    assert channel_for("resident_id", f"王{character}", "gbk").reason is None
    assert channel_for("resident_id", f"王{character}", "gb18030").reason is None


@given(st.text(), st.sampled_from(CHARSETS))
def test_any_name_gets_a_channel_and_the_special_one_always_has_a_reason(name: str, charset: Charset) -> None:
    choice = channel_for("resident_id", name, charset)
    assert (choice.channel == "special") == (choice.reason_code == "rare_character")
    assert (choice.reason is None) == (choice.reason_code is None)
