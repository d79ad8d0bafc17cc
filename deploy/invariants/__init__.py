"""Checks the data of all services and the broker against the invariants: `python -m deploy.invariants`."""

from deploy.invariants.checker import INVARIANTS, check
from deploy.invariants.system import System
from deploy.invariants.violations import Violation

__all__ = ["INVARIANTS", "System", "Violation", "check"]
