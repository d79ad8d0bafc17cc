"""The committed generated documents are up to date."""

import re

import pytest

from deploy.documents import DOCS, documents
from deploy.metrics_document import definitions


@pytest.mark.parametrize(("name", "text"), documents().items(), ids=documents())
def test_each_committed_document_is_up_to_date(name: str, text: str) -> None:
    assert (DOCS / name).read_text("utf-8") == text, "run: make docs"


def test_the_monitoring_guide_names_only_metrics_that_exist() -> None:
    guide = (DOCS / "operations/monitoring.md").read_text("utf-8")
    series = {f"{one.name}{suffix}" for one in definitions() for suffix in ("", "_count", "_bucket", "_sum")}
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)(?:\{[^`]*\})?`", guide.partition("## Logs")[0]))
    assert named
    assert named - series == set()
