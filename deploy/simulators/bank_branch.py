"""A simulated branch that takes no messages: opens the file of a batch, fills in results, and locks it again.

`python -m deploy.simulators.bank_branch batch.xlsx` with BANK_FILE_PASSWORD writes `batch-结果.xlsx` beside it: all
cards are issued, but about one in `--refuse-every` refused; with `--cards` it reports what happened to them since, and
with `--wrong N` it makes mistakes in the first N lines. The file of a recall is only printed. It shares the contract of
files with the product, nothing else.
"""

import argparse
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from deploy.simulators.bank_ledger import Result, decide, life_of_card, refusing_every
from services.contracts.external import bank_files as contract
from services.contracts.shared import CARD_STEP_WORDS
from services.contracts.values import SHANGHAI
from services.kit.documents.sheet_cells import saved
from services.kit.settings import refuse_production, run_program
from services.kit.sheets.forms import Form
from services.kit.sheets.locked import lock, unlock
from services.kit.sheets.unreadable import UnreadableSheet

_WRONG = {"card_no": "6231620000000000012"}


def rows_of(content: bytes, password: str, sheet: str) -> list[dict[str, str]]:
    """The rows of a sheet of a locked file, by heading; none where it has no such sheet. Raises UnreadableSheet."""
    book = load_workbook(io.BytesIO(unlock(content, [password])), read_only=True)
    if sheet not in book.sheetnames:
        return []
    rows = book[sheet].iter_rows(values_only=True)
    headings = [_plain(str(one)) for one in next(rows)]
    return [{heading: str(cell or "") for heading, cell in zip(headings, row, strict=False)} for row in rows]


def answered(content: bytes, password: str, results: Iterable[Result], reports: Iterable[Result] = ()) -> bytes:
    """The file of a batch with these results and reports in the bank's sheets, by the fields of the contract."""
    book = load_workbook(io.BytesIO(unlock(content, [password])))
    _fill(book[contract.RESULTS.title], contract.RESULTS, map(_in_words, results))
    _fill(book[contract.CARDS.title], contract.CARDS, map(_in_words, reports))
    return lock(saved(book), password)


def decided(content: bytes, password: str, refuse_every: int = 0, wrong: int = 0) -> Iterator[Result]:
    """A result for each applicant of the file, now; mistakes in the first `wrong` of them."""
    outcome_of, now = refusing_every(refuse_every), datetime.now(SHANGHAI)
    for number, row in enumerate(rows_of(content, password, contract.RESULTS.title)):
        keys = {name: row[contract.RESULTS.headings[name]] for name in ("batch_no", "application_id", "member_no")}
        result = decide(keys, outcome_of(keys))
        yield {**keys, **result, "processed_at": now, **(_WRONG if number < wrong else {})}


def lives(results: Iterable[Result]) -> Iterator[Result]:
    """What has happened to the issued cards since."""
    for result in results:
        if result["outcome"] == "issued":
            for report in life_of_card(result["application_id"]):
                yield {**report, "happened_at": datetime.now(SHANGHAI)}


def _in_words(line: Result) -> dict[str, str]:
    words = {**contract.OUTCOME_WORDS, **CARD_STEP_WORDS}
    return {name: _text(words.get(value, value)) for name, value in line.items() if value is not None}


def _text(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)


def _fill(sheet: Any, form: Form, lines: Iterable[Mapping[str, str]]) -> None:
    """Replaces the rows below the headings."""
    sheet.delete_rows(2, sheet.max_row)
    for line in lines:
        sheet.append([line.get(name, "") for name in form.headings])


def _plain(heading: str) -> str:
    return heading.lstrip("*")


def main() -> None:
    """Answers a file."""
    refuse_production("a simulated bank")
    parser = argparse.ArgumentParser(prog="python -m deploy.simulators.bank_branch", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--refuse-every", type=int, default=0, metavar="N")
    parser.add_argument("--wrong", type=int, default=0, metavar="N")
    parser.add_argument("--cards", action="store_true")
    options = parser.parse_args()
    content, password = options.file.read_bytes(), os.environ.get("BANK_FILE_PASSWORD", "")
    try:
        if recalled := rows_of(content, password, contract.RECALL_SHEET):
            print(f"recalled: {', '.join(row[contract.RECALLED_HEADINGS['member_no']] for row in recalled)}")
            return
        results = list(decided(content, password, options.refuse_every, options.wrong))
    except UnreadableSheet as unreadable:
        sys.exit(str(unreadable))
    answer = options.file.with_stem(f"{options.file.stem}-结果")
    answer.write_bytes(answered(content, password, results, lives(results) if options.cards else ()))
    print(answer)


if __name__ == "__main__":
    run_program(main)
