"""Debian packages that only some tests need are installed by root, and named to others."""

import os

import pytest

from tests.debian_packages import need_packages


def test_without_root_a_missing_package_fails_the_test_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    need_packages("dpkg")
    with pytest.raises(pytest.fail.Exception, match=r"apt-get install --no-install-recommends no-such-package$"):
        need_packages("dpkg", "no-such-package")
