"""Installs Debian packages that only tests of deployment need."""

from collections.abc import Mapping
from pathlib import Path

from deploy.local.bootstrap import install_packages


def need(programs: Mapping[str, str]) -> None:
    """Installs those packages whose program, named by its path, is not there; none of their services is started."""
    missing = [package for package, program in programs.items() if not Path(program).exists()]
    if missing:
        install_packages(missing)
