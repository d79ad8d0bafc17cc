"""Checks the pinned packages for known vulnerabilities: `python -m deploy.local.audit_dependencies`.

Fails on a finding. If neither service answers or knows the packages, it prints one line and does not fail, so that a
machine without a network can still check the code.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from deploy.local.environment import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
_SERVICES = ("pypi", "osv")
_LONGEST_SECONDS = 120

RunAudit = Callable[[str, str], dict[str, Any]]


class NoReport(RuntimeError):
    """A service gave no report; the message says why."""


def audit(locks: Sequence[str], run: RunAudit) -> tuple[list[str], list[str]]:
    """Returns the findings, and why packages of a lock could not be audited."""
    findings: list[str] = []
    obstacles: list[str] = []
    for lock in locks:
        try:
            packages = _first_report(lock, run)
        except NoReport as obstacle:
            obstacles.append(f"{lock}: {obstacle}")
            continue
        findings += [
            _line(package, vulnerability) for package in packages for vulnerability in package.get("vulns", ())
        ]
        skipped = sum("skip_reason" in package for package in packages)
        if skipped:
            obstacles.append(f"{lock}: {skipped} of {len(packages)} packages are not known to the service")
    return findings, obstacles


def run_pip_audit(service: str, lock: str) -> dict[str, Any]:
    """Returns pip-audit's report on a lock file; raises NoReport."""
    options = ("--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off")
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", service, *options, "-r", lock]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_LONGEST_SECONDS)
        report: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise NoReport(f"{service} did not answer in {_LONGEST_SECONDS} s") from error
    except ValueError as error:
        raise NoReport(f"{service} cannot be reached") from error
    return report


def _first_report(lock: str, run: RunAudit) -> list[dict[str, Any]]:
    """Returns the packages as reported by the first service that knows any."""
    reasons = []
    for service in _SERVICES:
        try:
            packages: list[dict[str, Any]] = run(service, lock)["dependencies"]
        except NoReport as obstacle:
            reasons.append(str(obstacle))
            continue
        if any("skip_reason" not in package for package in packages):
            return packages
        reasons.append(f"{service} knows none of the packages")
    raise NoReport("; ".join(reasons))


def _line(package: dict[str, Any], vulnerability: dict[str, Any]) -> str:
    fixed = ", ".join(vulnerability.get("fix_versions", ())) or "no version yet"
    return f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}"


def _main() -> int:
    findings, obstacles = audit(LOCKS, run_pip_audit)
    for obstacle in obstacles:
        print(f"not audited: {obstacle}", file=sys.stderr)
    for finding in sorted(set(findings)):
        print(finding, file=sys.stderr)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(_main())
