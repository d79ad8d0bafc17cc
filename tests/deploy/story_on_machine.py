"""Tells the manual's story to a system on this machine, behind nginx; test_one_machine runs it as root there."""

import os
import sys
import tempfile
from pathlib import Path

from deploy.local.captcha_solver import use_secret_of
from deploy.local.demo import run_story
from deploy.local.environment import Addresses
from deploy.local.private_files import write_private
from deploy.local.stack import Stack
from deploy.secret_files import read_values

secrets = Path("/etc/cards/secrets")
os.environ["REQUESTS_CA_BUNDLE"] = str(secrets / "nginx" / "certificate.pem")
folder = Path(tempfile.mkdtemp())
write_private(folder / "secrets.env", f"SESSION_SECRET={read_values(secrets)['SESSION_SECRET']}\n")
use_secret_of(folder)
uri = (secrets / "operator" / "AMQP_URI_BATCHING").read_text().strip()
simulators = {"bank": "http://127.0.0.1:8201", "registry": "http://127.0.0.1:8202", "sms": "http://127.0.0.1:8203"}
stack = Stack(folder, "https://localhost", Addresses({"batching": uri}, {}), simulators)
if run_story(stack, 1):
    sys.exit("the story went another way")
print("the story is told")
