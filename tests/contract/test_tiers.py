"""The list of long tests in tests/README.md is up to date."""

import pytest

from tests.tiers import DOCUMENT, marked_tests, with_tables


def test_the_tables_of_tiers_are_up_to_date() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert with_tables(text) == text, "run: make docs"


@pytest.mark.parametrize(("where", "reason"), [*marked_tests("long"), *marked_tests("deploy")], ids=lambda text: text)
def test_each_long_test_says_why_in_words(where: str, reason: str) -> None:
    assert len(reason.split()) >= 3, where
