"""Names: the dot, spaces, length, and classes of characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.rules.names import check_name
from services.contracts.values import clean_name
from services.contracts.values.names import character_class


def codes(name: str) -> list[tuple[str, str]]:
    return [(finding.severity, finding.code) for finding in check_name(name)]


@pytest.mark.parametrize(
    "dot",
    [
        *".\u00b7\u30fb\uff65\u2027\u0387\u2022\uff0e\ufe52\u2219\u22c5\u2024",
        *"\u2e31\u2e33\ua78f\u318d\u119e\u1427\u16eb\u2981\u02d9\u25cf\u25e6\u2218",
    ],
)
def test_every_dot_becomes_the_one_dot_of_names(dot: str) -> None:
    assert clean_name(f"阿依古丽{dot}买买提") == "阿依古丽\u00b7买买提"
    assert check_name(f"阿依古丽{dot}买买提") == ()


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" 王 芳\u3000", "王芳"),
        ("王\u200b芳\ufeff", "王芳"),
        ("买买提 · 阿里", "买买提·阿里"),
        ("·买买提·", "买买提"),
        ("ＪＯＨＮ　 Smith", "JOHN Smith"),
        ("Jose\u0301", "José"),
        ("阿卜杜拉••买买提", "阿卜杜拉·买买提"),
        ("Mr. Smith", "Mr. Smith"),
        ("D\u2019Angelo", "D'Angelo"),
        ("\u02bbOkina", "'Okina"),
        ("⺩⼯", "⺩工"),
        ("\uf9d1建国", "六建国"),
        ("𬎆 𠅤", "𬎆𠅤"),
        ("Al\u2011Hassan", "Al-Hassan"),
        ("Smith\u2013Jones", "Smith-Jones"),
        ("`王芳", "王芳"),
        ("＇王芳－", "王芳"),
        ("王芳.", "王芳"),
        ("'n Betje", "'n Betje"),
    ],
)
def test_a_name_is_kept_in_one_way_of_writing(typed: str, kept: str) -> None:
    assert clean_name(typed) == kept


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        ("王é·- 'A", "ordinary"),
        ("镕喆堃龑〇", "gbk_only"),
        ("䶮㛃鿏", "rare"),
        ("𬎆𫖯𠅤\U00031350\U0002ebf0", "rare"),
        ("\ue000\uf8ff\U000f0000\U0010fffd", "private_use"),
        ("1?\u0000\n☺⿰\ud800\U000e0100", "not_allowed"),
    ],
)
def test_characters_fall_into_the_classes_that_banks_know(characters: str, expected: str) -> None:
    assert {character: character_class(character) for character in characters} == dict.fromkeys(characters, expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("王建国", []),
        ("朱镕基", [("warning", "name_outside_gb2312")]),
        ("王㛃", [("warning", "name_rare_character")]),
        ("王𬎆", [("warning", "name_rare_character")]),
        ("王\ue000", [("error", "name_private_use_character")]),
        ("王\u0301", [("error", "name_character_not_allowed")]),
        ("王\u3164", [("error", "name_character_not_allowed")]),
        ("张\ufe00三", [("error", "name_character_not_allowed")]),
        ("王\0", [("error", "name_character_not_allowed")]),
        ("王3", [("error", "name_character_not_allowed")]),
        ("", [("error", "name_missing")]),
        ("　 · ", [("error", "name_missing")]),
        *((marks, [("error", "name_missing")]) for marks in ("-", ".", "'", "- ·-")),
        ("王\u02c9", [("error", "name_character_not_allowed")]),
        ("陶喆𬎆", [("warning", "name_outside_gb2312"), ("warning", "name_rare_character")]),
    ],
)
def test_a_name_is_judged_by_its_characters(name: str, expected: list[tuple[str, str]]) -> None:
    assert codes(name) == expected


def test_a_finding_names_each_character_once_with_its_code_point() -> None:
    (finding,) = check_name("𬎆㛃𬎆")
    assert finding.evidence == {"name": "𬎆㛃𬎆", "characters": "𬎆㛃", "code_points": "U+2C386 U+36C3"}
    assert "“𬎆”、“㛃”" in finding.message


def test_length_counts_code_points() -> None:
    assert codes("𬎆" * 50) == [("warning", "name_rare_character")]
    assert ("error", "name_too_long") in codes("𬎆" * 51)


@given(st.text())
def test_any_text_is_judged(name: str) -> None:
    assert all(finding.severity in {"error", "warning"} for finding in check_name(name))
