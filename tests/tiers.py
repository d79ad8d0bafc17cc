"""Which tests `make test` leaves to `make test-all` and `make test-deploy`, and why: the tables of tests/README.md.

`python -m tests.tiers --write` writes the tables; a test fails if one is outdated.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER / "README.md"
_TIERS = ("long", "deploy")


def with_tables(document: str) -> str:
    """Returns the document with a table of the current markers of each tier."""
    for tier in _TIERS:
        begin, end = f"<!-- {tier} tests: make docs -->\n", f"<!-- end of {tier} tests -->\n"
        before, _, rest = document.partition(begin)
        _, _, after = rest.partition(end)
        rows = "".join(f"| {where} | {reason} |\n" for where, reason in marked_tests(tier))
        document = f"{before}{begin}| tests | why |\n| --- | --- |\n{rows}{end}{after}"
    return document


def marked_tests(tier: str) -> list[tuple[str, str]]:
    """Returns each file, test or variant that is marked for the tier, with its reason, ordered by place."""
    found: list[tuple[str, str]] = []
    for path in sorted(FOLDER.rglob("test_*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        file = path.relative_to(FOLDER).as_posix()
        for owner, reason in _marked(tree, tier, None):
            entry = (f"`{file}`" + (f" `{owner}`" if owner else ""), reason)
            if entry not in found:
                found.append(entry)
    return found


def _marked(node: ast.AST, tier: str, owner: str | None) -> Iterator[tuple[str | None, str]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        owner = node.name
    if isinstance(node, ast.Call) and ast.unparse(node.func) == f"pytest.mark.{tier}":
        yield owner, str(ast.literal_eval(node.args[0]))
    for child in ast.iter_child_nodes(node):
        yield from _marked(child, tier, owner)


if __name__ == "__main__":
    current = DOCUMENT.read_text("utf-8")
    if "--write" in sys.argv:
        DOCUMENT.write_text(with_tables(current), "utf-8")
