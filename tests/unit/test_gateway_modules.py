"""The platform's other modules: read from a settings file, without addresses that would run a script."""

from pathlib import Path

import pytest
from marshmallow import ValidationError

from gateway.api import ROUTES
from gateway.api.modules import read_modules
from tests.gateway_page import Page


def test_signed_in_callers_get_the_other_modules() -> None:
    page = Page(ROUTES)
    page.sign_in_as("clerk")

    answer = page.get("/api/v1/modules")

    assert answer.json is not None
    assert {"title", "url"} == set(answer.json["items"][0])


def test_another_file_names_other_modules(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text('[{"title": "体检申请", "url": "https://health.example.org/"}]')

    assert read_modules(tmp_path / "modules.json") == [{"title": "体检申请", "url": "https://health.example.org/"}]


def test_an_address_that_would_run_a_script_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text('[{"title": "体检申请", "url": "javascript:alert(1)"}]')

    with pytest.raises(ValidationError):
        read_modules(tmp_path / "modules.json")


def test_two_modules_with_one_address_are_refused(tmp_path: Path) -> None:
    same = '{"title": "体检申请", "url": "https://health.example.org/"}, {"title": "意见建议", "url": "https://health.example.org/"}'
    (tmp_path / "modules.json").write_text(f"[{same}]", encoding="utf-8")

    with pytest.raises(ValidationError):
        read_modules(tmp_path / "modules.json")


def test_a_module_whose_address_is_not_known_yet_has_none(tmp_path: Path) -> None:
    titles = '[{"title": "体检申请"}, {"title": "意见建议", "url": null}]'
    (tmp_path / "modules.json").write_text(titles, encoding="utf-8")

    assert [module["url"] for module in read_modules(tmp_path / "modules.json")] == [None, None]
