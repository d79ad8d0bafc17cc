"""The list of long tests in tests/README.md is up to date."""

from tests.tiers import DOCUMENT, marked_tests, with_tables


def test_the_tables_of_tiers_are_up_to_date() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert with_tables(text) == text, "run: make docs"


def test_each_long_test_says_why_in_words() -> None:
    marked = [*marked_tests("long"), *marked_tests("deploy")]
    assert [where for where, reason in marked if len(reason.split()) < 3] == []
