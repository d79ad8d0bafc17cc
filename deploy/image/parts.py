"""Writes the list of an image's parts (SBOM) as CycloneDX: Debian's packages, Python's, and those of the pages.

The Dockerfile runs it; it imports nothing of the project, and the same parts make the same list.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot5
from packageurl import PackageURL

NAME = "union-card-services"


def main() -> None:
    """Prints the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True, help="of the project")
    parser.add_argument("--epoch", required=True, type=int, help="the time of the sources, in seconds")
    parser.add_argument("--debian", required=True, type=Path, help="the folder of dpkg's database")
    parser.add_argument("--packages", required=True, type=Path, help="the virtual environment")
    parser.add_argument("--npm", required=True, type=Path, help="package-lock.json of the pages")
    options = parser.parse_args()
    parts = [*debian_packages(options.debian), *python_packages(options.packages), *npm_packages(options.npm)]
    sys.stdout.write(written(options.version, options.epoch, parts))


def written(version: str, epoch: int, parts: list[Component]) -> str:
    """Returns the document."""
    whole = Component(name=NAME, version=version, type=ComponentType.CONTAINER, bom_ref=NAME)
    bom = Bom(components=parts, metadata=BomMetaData(component=whole, timestamp=datetime.fromtimestamp(epoch, UTC)))
    bom.serial_number = uuid5(NAMESPACE_URL, " ".join([version, str(epoch), *sorted(str(part.purl) for part in parts)]))
    bom.register_dependency(whole, parts)
    text: str = JsonV1Dot5(bom).output_as_string(indent=1)
    return text + "\n"


def debian_packages(database: Path) -> Iterator[Component]:
    """Yields what dpkg has installed."""
    columns = "${Package} ${Version} ${Architecture} ${db:Status-Status}\\n"
    query = ["dpkg-query", f"--admindir={database}", "-W", "-f", columns]
    for line in subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines():
        name, version, architecture, status = line.split()
        if status == "installed":
            yield _part(PackageURL("deb", "debian", name, version, {"arch": architecture}))


def python_packages(venv: Path) -> Iterator[Component]:
    """Yields what a virtual environment holds."""
    (folder,) = venv.glob("lib/python3*/site-packages")
    for found in distributions(path=[str(folder)]):
        name = re.sub(r"[-_.]+", "-", found.metadata["Name"]).lower()
        yield _part(PackageURL("pypi", None, name, found.version))


def npm_packages(lock: Path) -> Iterator[Component]:
    """Yields what the pages are made of; what only builds and checks them is not in the image."""
    for place, package in json.loads(lock.read_text())["packages"].items():
        if place and not package.get("dev") and not package.get("optional"):
            namespace, _, name = place.rpartition("node_modules/")[2].rpartition("/")
            yield _part(PackageURL("npm", namespace or None, name, package["version"]))


def _part(url: PackageURL) -> Component:
    return Component(
        name=url.name,
        version=url.version,
        purl=url,
        bom_ref=url.to_string(),
        type=ComponentType.LIBRARY,
    )


if __name__ == "__main__":
    main()
