"""Installs the Debian packages that only some tests need."""

import os
import subprocess

import pytest

from deploy.local.bootstrap import install_packages


def need_packages(*names: str) -> None:
    """Installs those of the packages that are missing; none of them starts a system service.

    Without root the test fails, and says what to install.
    """
    missing = [name for name in names if not _is_installed(name)]
    if missing and os.geteuid() != 0:
        pytest.fail(f"As root, on Debian:  apt-get install --no-install-recommends {' '.join(missing)}")
    if missing:
        install_packages(missing)


def _is_installed(name: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"
