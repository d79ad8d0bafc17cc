"""The committed generated documents are up to date."""

import re

from deploy.documents import DOCS, documents
from deploy.metrics_document import definitions


def test_the_committed_documents_are_up_to_date() -> None:
    stale = [name for name, text in documents().items() if (DOCS / name).read_text("utf-8") != text]
    assert stale == [], "run: make docs"


def test_the_monitoring_guide_names_only_metrics_that_exist() -> None:
    guide = (DOCS / "operations/monitoring.md").read_text("utf-8")
    series = {f"{one.name}{suffix}" for one in definitions() for suffix in ("", "_count", "_bucket", "_sum")}
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)(?:\{[^`]*\})?`", guide.partition("## Logs")[0]))
    assert named
    assert named - series == set()
