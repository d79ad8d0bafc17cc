"""Chromium 86, which an npm package holds: older browsers of today, such as 360's, are built on its engine."""

import subprocess
from functools import cache
from pathlib import Path

from tests.installed_tools import npm_packages

_LOCKS = Path(__file__).parent / "tools"
_PACKED = "node_modules/chrome-aws-lambda/bin/chromium.br"
_UNPACK = """
const { createReadStream, createWriteStream } = require("node:fs");
const { pipeline } = require("node:stream/promises");
const { createBrotliDecompress } = require("node:zlib");
const [packed, unpacked] = process.argv.slice(1);
pipeline(createReadStream(packed), createBrotliDecompress(), createWriteStream(unpacked, { mode: 0o755 }));
"""


@cache
def installed_old_chromium() -> Path:
    """The program, installed where it is not yet."""
    return npm_packages(_LOCKS, "old-browser", _unpack) / "chromium"


def _unpack(folder: Path) -> None:
    subprocess.run(["node", "-e", _UNPACK, str(folder / _PACKED), str(folder / "chromium")], check=True)
