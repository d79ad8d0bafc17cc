"""Uploads: files of any content arrive complete, other parts of a form are limited."""

import os
from io import BytesIO

import pytest
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.test import EnvironBuilder

from gateway.server import PublicRequest


def form(**parts: object) -> PublicRequest:
    """A request with this form."""
    return PublicRequest(EnvironBuilder(method="POST", data=parts).get_environ())


@pytest.mark.parametrize("size", [1_000, 65_536, 700_000, 5_000_000])
def test_a_file_of_any_bytes_comes_whole(size: int) -> None:
    content = os.urandom(size)

    assert form(file=(BytesIO(content), "会员名册.xlsx")).files["file"].read() == content


def test_a_large_part_that_is_no_file_is_refused() -> None:
    with pytest.raises(RequestEntityTooLarge):
        form(file=(BytesIO(b"PK"), "会员名册.xlsx"), note="x" * 1_000_000).form["note"]
