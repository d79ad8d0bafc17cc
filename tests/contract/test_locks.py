"""Locks hold versions and hashes alone: where packages are fetched from is the affair of who installs."""

import re

import pytest

from tests.databases import ROOT

LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-node.lock",
    "requirements-image.lock",
    "gateway/web/package-lock.json",
)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert len(text) > 100
    assert re.findall(r"https?://\S+|index-url|find-links", text) == []
