"""The committed generated documents are up to date."""

import pytest

from deploy.documents import DOCS, documents


@pytest.mark.parametrize(("name", "text"), documents().items(), ids=documents())
def test_each_committed_document_is_up_to_date(name: str, text: str) -> None:
    assert (DOCS / name).read_text("utf-8") == text, "run: make docs"
