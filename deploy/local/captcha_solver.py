"""Solves captchas of a stack whose secret is known, with their proof of work: programs cannot bypass captchas."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from deploy.local.environment import keep_secrets
from gateway.captchas import Captchas
from gateway.proof_of_work import solve as do_work

_SECRET = "SESSION_SECRET"  # noqa: S105 - the name of the variable


def use_secret_of(folder: Path) -> None:
    """Reads the secret of the stack in this folder, so that its captchas can be solved."""
    os.environ[_SECRET] = keep_secrets(folder)[_SECRET]


def solve(captcha_id: str) -> str:
    """Returns the answer; raises LookupError if the secret is not that of the stack that made the captcha."""
    puzzle = Captchas(os.environ.get(_SECRET, ""), bits=0).decrypt(captcha_id)
    if puzzle is None:
        raise LookupError(f"{_SECRET} in the environment is not that of the stack: read it from its secrets.env")
    return puzzle.answer


def solved_captcha(post: Callable[[str, dict[str, Any]], Mapping[str, Any]], purpose: str) -> dict[str, str]:
    """Returns a form's fields with a captcha, its answer and its work; `post` posts to a path of the API.

    Waits as long as the captcha requires. Raises LookupError as `solve` does.
    """
    made = post("captchas", {"purpose": purpose})
    work = made["proof_of_work"]
    time.sleep(made["wait_seconds"])
    return {
        "captcha_id": made["captcha_id"],
        "captcha_answer": solve(made["captcha_id"]),
        "proof_of_work": do_work(work["salt"], work["bits"]),
    }
