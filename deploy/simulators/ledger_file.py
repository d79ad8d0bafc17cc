"""The file of a simulated party's ledger, which outlasts the process."""

import json
from pathlib import Path
from typing import Any


class LedgerFile:
    """Keeps a document in a private file, or nowhere without a path."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def read(self) -> Any:
        """Returns the document; None where none was written."""
        return json.loads(self._path.read_text()) if self._path is not None and self._path.exists() else None

    def write(self, document: Any) -> None:
        """Replaces the document."""
        if self._path is None:
            return
        written = self._path.with_suffix(".new")
        written.touch(mode=0o600)
        written.write_text(json.dumps(document, ensure_ascii=False))
        written.replace(self._path)
