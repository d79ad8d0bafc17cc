"""Known vulnerabilities are reported; a service that does not answer is reported too, without failing the check."""

from typing import Any

import pytest

from deploy.local import audit_dependencies
from deploy.local.audit_dependencies import NoReport, audit

SOUND = {"name": "kombu", "version": "5.7", "vulns": []}
FLAWED = {"name": "werkzeug", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "amqp", "skip_reason": "not found"}


class Services:
    """Vulnerability services: each answers with these packages, or not at all."""

    def __init__(self, **packages: list[dict[str, Any]]) -> None:
        self._packages = packages

    def __call__(self, service: str, lock: str) -> dict[str, Any]:
        if service not in self._packages:
            raise NoReport(f"{service} cannot be reached")
        return {"dependencies": self._packages[service]}


def test_sound_packages_are_nothing_to_tell() -> None:
    assert audit(["a.lock"], Services(pypi=[SOUND])) == ([], [])


def test_a_vulnerability_is_reported_with_the_version_that_fixes_it() -> None:
    findings, _ = audit(["a.lock"], Services(pypi=[SOUND, FLAWED]))

    assert findings == ["werkzeug 1.0: PYSEC-1, fixed in 1.1"]


@pytest.mark.parametrize("services", [Services(osv=[FLAWED]), Services(pypi=[UNKNOWN], osv=[FLAWED])])
def test_the_second_service_is_asked_where_the_first_knows_nothing(services: Services) -> None:
    assert len(audit(["a.lock"], services)[0]) == 1


def test_that_nobody_can_be_asked_is_one_line_and_no_finding() -> None:
    findings, obstacles = audit(["a.lock"], Services(pypi=[UNKNOWN]))

    assert (findings, obstacles) == ([], ["a.lock: pypi knows none of the packages; osv cannot be reached"])


def test_packages_that_a_service_does_not_know_are_counted() -> None:
    assert audit(["a.lock"], Services(pypi=[SOUND, UNKNOWN]))[1] == [
        "a.lock: 1 of 2 packages are not known to the service"
    ]


@pytest.mark.parametrize(("packages", "status"), [([FLAWED], 1), ([SOUND], 0), ([UNKNOWN], 0)])
def test_only_a_finding_fails_the_check(
    packages: list[dict[str, Any]], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_dependencies, "run_pip_audit", Services(pypi=packages))

    assert audit_dependencies._main() == status
