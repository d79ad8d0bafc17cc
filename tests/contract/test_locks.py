"""Lock files contain versions and hashes only, and no addresses of package registries."""

import re

import pytest

from tests.databases import ROOT

LOCKS = (
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-node.lock",
    "requirements-image.lock",
    "gateway/web/package-lock.json",
    *(f"tests/deploy/tools/{name}" for name in ("requirements.lock", "checkov.lock", "package-lock.json")),
)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert len(text) > 100
    assert re.findall(r"https?://\S+|index-url|find-links", text) == []
