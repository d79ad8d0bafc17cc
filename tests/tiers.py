"""Which tests `make test` leaves to `make test-all`, and why: the table of tests/README.md.

`python -m tests.tiers --write` writes the table; a test fails if it is outdated.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER / "README.md"
_BEGIN, _END = "<!-- long tests: make docs -->\n", "<!-- end of long tests -->\n"


def with_table(document: str) -> str:
    """Returns the document with a table of the current markers."""
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    rows = "".join(f"| {where} | {reason} |\n" for where, reason in long_tests())
    return f"{before}{_BEGIN}| tests | why they are long |\n| --- | --- |\n{rows}{_END}{after}"


def long_tests() -> list[tuple[str, str]]:
    """Returns each file, test or variant that is marked `long`, with its reason, ordered by place."""
    found: list[tuple[str, str]] = []
    for path in sorted(FOLDER.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        file = path.relative_to(FOLDER).as_posix()
        for owner, reason in _marked(tree, None):
            entry = (f"`{file}`" + (f" `{owner}`" if owner else ""), reason)
            if entry not in found:
                found.append(entry)
    return found


def _marked(node: ast.AST, owner: str | None) -> Iterator[tuple[str | None, str]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        owner = node.name
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.long":
        yield owner, str(ast.literal_eval(node.args[0]))
    for child in ast.iter_child_nodes(node):
        yield from _marked(child, owner)


if __name__ == "__main__":
    current = DOCUMENT.read_text("utf-8")
    if "--write" in sys.argv:
        DOCUMENT.write_text(with_table(current), "utf-8")
