"""The list of long tests in tests/README.md is up to date."""

import pytest

from tests.tiers import DOCUMENT, long_tests, with_table


def test_the_table_of_long_tests_is_up_to_date() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert with_table(text) == text, "run: make docs"


@pytest.mark.parametrize(("where", "reason"), long_tests(), ids=lambda text: text)
def test_each_long_test_says_why_in_words(where: str, reason: str) -> None:
    assert len(reason.split()) >= 3, where
