"""The committed generated documents are up to date."""

import re
import subprocess
import sys

from deploy.documents import DOCS
from deploy.metrics_document import definitions
from tests.databases import ROOT


def test_the_committed_documents_are_up_to_date() -> None:
    # In a process of its own: tests declare settings too.
    command = [sys.executable, "-W", "ignore", "-m", "deploy.documents", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_monitoring_guide_names_only_metrics_that_exist() -> None:
    guide = (DOCS / "operations/monitoring.md").read_text("utf-8")
    series = {f"{one.name}{suffix}" for one in definitions() for suffix in ("", "_count", "_bucket", "_sum")}
    named = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)(?:\{[^`]*\})?`", guide.partition("## Logs")[0]))
    assert named
    assert named - series == set()
