"""Repairs violations of invariants where that is safe: `python -m deploy.repair`."""

from deploy.repair.plan import Task, plan
from deploy.repair.runner import Runner

__all__ = ["Runner", "Task", "plan"]
