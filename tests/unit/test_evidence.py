"""The evidence of findings as clerks read it."""

import ast
from pathlib import Path

from services.contracts.rules import evidence as evidence_module
from services.contracts.rules.evidence import EVIDENCE_TITLES, in_chinese
from services.validation import retirement

_FOLDERS = (Path(evidence_module.__file__).parent, Path(retirement.__file__).parent)
_FINDINGS = {"error", "warning", "info"}


def test_every_value_in_a_findings_evidence_has_a_chinese_title() -> None:
    named = {name for folder in _FOLDERS for file in folder.glob("*.py") for name in _evidence_names(file)}

    assert named >= {"number", "checked_on", "registry", "flexible_window"}
    assert named - EVIDENCE_TITLES.keys() == set()


def test_codes_among_the_values_are_told_in_chinese_and_empty_values_are_left_out() -> None:
    told = in_chinese({"registry": "unknown", "category": "F55", "source": "", "expiry": "9999-12-31"})

    assert told == [("退休登记", "无记录"), ("退休类别", "女干部（原55周岁）"), ("证件到期日", "长期")]


def test_a_value_that_only_a_former_release_stored_is_left_out() -> None:
    assert in_chinese({"former": "x", "region": "310199"}) == [("行政区划代码", "310199")]


def _evidence_names(file: Path) -> set[str]:
    """The keywords of findings, and the keys of dictionaries that are named evidence or returned as such."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FINDINGS:
            logs = isinstance(node.func.value, ast.Name) and node.func.value.id == "log"
            names |= {keyword.arg for keyword in node.keywords if keyword.arg and not logs}
        if isinstance(node, ast.FunctionDef) and node.name.endswith("_evidence"):
            names |= _keys(node)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("evidence"):
            names |= _keys(node) | ({_key(node.targets[0])} if isinstance(node.targets[0], ast.Subscript) else set())
    return names


def _keys(node: ast.AST) -> set[str]:
    found = [one for one in ast.walk(node) if isinstance(one, ast.Dict)]
    return {str(key.value) for one in found for key in one.keys if isinstance(key, ast.Constant)}


def _key(target: ast.Subscript) -> str:
    return str(ast.literal_eval(target.slice))
