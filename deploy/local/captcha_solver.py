"""Answers captchas of a stack whose secret one has: programs sign in as people do, there is no way around captchas."""

import os
from pathlib import Path

from deploy.local.environment import keep_secrets
from gateway.captchas import Captchas

_SECRET = "SESSION_SECRET"  # noqa: S105 - the name of the variable


def learn_secret(folder: Path) -> None:
    """From now on captchas of the stack in this folder can be answered."""
    os.environ[_SECRET] = keep_secrets(folder)[_SECRET]


def solve(captcha_id: str) -> str:
    """The answer; raises LookupError where the secret is not that of the stack that made the captcha."""
    puzzle = Captchas(os.environ.get(_SECRET, "")).open(captcha_id)
    if puzzle is None:
        raise LookupError(f"{_SECRET} in the environment is not that of the stack: read it from its secrets.env")
    return puzzle.answer
