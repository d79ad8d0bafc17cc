"""Builds the image: `python -m deploy.image.build`, `make image`; what follows `--` goes to `docker build`.

The packages come from this machine's own clients (`packages.py`); with `--online` the build fetches them itself. The
list of the image's parts is written beside them, to `.local/image/parts.cdx.json`.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.image import packages
from deploy.local.bootstrap import ROOT

DOCKERFILE = ROOT / "deploy" / "image" / "Dockerfile"
REPOSITORY = "union-cards"
PARTS = "/usr/share/doc/union-cards/parts.cdx.json"
PARTS_OUTPUT = ROOT / ".local" / "image" / "parts.cdx.json"


@dataclass(frozen=True)
class Source:
    """The sources that an image is built from."""

    version: str
    revision: str
    epoch: int

    @classmethod
    def of_checkout(cls) -> "Source":
        """Returns what the project's file and the checked out commit say."""
        version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
        is_changed = bool(_git("status", "--porcelain"))
        revision = _git("rev-parse", "--short=12", "HEAD") + ("-changed" if is_changed else "")
        return cls(version, revision, int(_git("log", "-1", "--format=%ct")))

    @property
    def arguments(self) -> dict[str, str]:
        """The Dockerfile's arguments."""
        created = datetime.fromtimestamp(self.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "VERSION": self.version,
            "REVISION": self.revision,
            "CREATED": created,
            "SOURCE_DATE_EPOCH": str(self.epoch),
        }


def main() -> int:
    """Builds, and prints name and size; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m deploy.image.build", description="Build the container image.")
    parser.add_argument("--tag", action="append", help=f"its name (default: {REPOSITORY}:<version>)")
    parser.add_argument("--base", help="another base image than the Dockerfile names")
    parser.add_argument("--python", default=packages.PYTHON, help=f"the base image's Python ({packages.PYTHON})")
    parser.add_argument("--online", action="store_true", help="let pip and npm in the build find the packages")
    parser.add_argument("more", nargs="*", metavar="-- option", help="options of docker build")
    options = parser.parse_args()
    source = Source.of_checkout()
    tags = options.tag or [f"{REPOSITORY}:{source.version}", f"{REPOSITORY}:latest"]
    try:
        if not options.online:
            packages.fetch(options.python)
        build(source, tags, options.base, options.more)
        PARTS_OUTPUT.write_bytes(read_file(tags[0], PARTS))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    size = int(docker("image", "inspect", "--format", "{{.Size}}", tags[0]))
    print(f"{' '.join(tags)}: {size / 1e6:.0f} MB; its parts: {PARTS_OUTPUT.relative_to(ROOT)}")
    return 0


def build(source: Source, tags: Sequence[str], base: str | None, more: Sequence[str] = ()) -> None:
    """Runs docker build, which prints what it does. Raises CalledProcessError."""
    arguments = {**source.arguments, **({"BASE": base} if base else {})}
    command = [_client(), "build", "--file", str(DOCKERFILE), *more]
    command += [f"--build-arg={name}={value}" for name, value in arguments.items()]
    command += [f"--tag={tag}" for tag in tags]
    subprocess.run([*command, str(ROOT)], check=True)


def read_file(image: str, path: str) -> bytes:
    """Returns the content of a file in an image."""
    command = [_client(), "run", "--rm", "--network=none", "--entrypoint=cat", image, path]
    return subprocess.run(command, capture_output=True, check=True).stdout


def docker(*arguments: str) -> str:
    """Runs a command of docker; returns what it prints. Raises RuntimeError with its complaint."""
    done = subprocess.run([_client(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments[:3])} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _client() -> str:
    return os.environ.get("DOCKER", "docker")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
