"""Holds what all services and the broker keep against what must always hold: `python -m deploy.invariants`."""

from deploy.invariants.checker import INVARIANTS, check
from deploy.invariants.system import System
from deploy.invariants.violations import Violation

__all__ = ["INVARIANTS", "System", "Violation", "check"]
