"""The image: what is in it, what is not, and that it runs as nobody in particular on a root that cannot be written."""

import re
import time
from pathlib import Path

import pytest

from deploy.image.build import Source
from deploy.permissions import SERVICES
from tests.deploy.product_image import Image, build_image

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.deploy("builds the image, by an engine of its own"),
    pytest.mark.timeout(1800),
    pytest.mark.alone("an engine for containers, of which one runs at a time; test_compose has another"),
]


def test_it_is_built_of_fetched_packages_without_a_network(image: Image) -> None:
    size = image.inspect()["Size"]
    print(f"\nimage: {size / 1e6:.0f} MB, built in {image.seconds:.0f} s")
    assert size < 400e6
    # Nothing of the machine that fetched the packages is left in it.
    assert "--find-links" not in image.docker("history", "--no-trunc", image.tag)


def test_its_user_is_nobody_in_particular_and_may_write_nothing_but_tmp(image: Image) -> None:
    assert image.inspect()["Config"]["User"] == "10001:10001"
    writable = "find / -xdev -writable ! -type l ! -path '/proc/*' ! -path '/dev/*' ! -path '/tmp' 2>/dev/null"
    assert image.shell("id -u; id -g").split() == ["10001", "10001"]
    assert image.shell(f"{writable} || true", read_only=False).split() == ["/srv/definitions", "/srv/pages"]
    assert "Read-only" in image.shell("touch /tmp/file; touch /srv/pages/file 2>&1 || true")


def test_nothing_is_left_that_builds_or_installs(image: Image) -> None:
    tools = "pip pip3 npm node gcc cc g++ make ld curl wget git apt-get"
    found = image.shell(f"for tool in {tools}; do command -v $tool || true; done")
    assert set(found.split()) <= {"/usr/bin/apt-get"}, found
    assert image.shell("python -m pip 2>&1 || true").endswith("No module named pip")
    leftovers = (
        "ls -d /var/lib/apt/lists /etc/apt /root/.cache /packages /locks /opt/pip /opt/tools 2>/dev/null || true"
    )
    assert image.shell(leftovers) == ""
    assert image.shell("find / -xdev -perm /6000 -type f 2>/dev/null || true") == ""
    assert image.shell("find /app -name '*.ts' -o -name '*.vue' -o -name 'test_*' -o -name '.git*'") == ""


def test_it_says_what_it_is(image: Image) -> None:
    labels = image.inspect()["Config"]["Labels"]
    source = Source.of_checkout()
    prefix = "org.opencontainers.image."
    assert labels[f"{prefix}version"] == source.version
    assert labels[f"{prefix}revision"] == source.revision
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", labels[f"{prefix}created"])
    assert image.shell("echo $RELEASE") == f"{source.version}+{source.revision}"


def test_its_list_of_parts_names_what_the_lock_names_and_what_debian_installed(image: Image) -> None:
    parts = image.parts()
    lock = (ROOT / "requirements.lock").read_text()
    # A marker such as `; sys_platform == 'win32'` leaves a package out here.
    locked = re.findall(r"^([a-z0-9-]+)==(\S+) \\$", lock, re.MULTILINE)
    assert len(locked) > 40
    assert {f"pkg:pypi/{name}@{version}" for name, version in locked} <= parts
    assert not any(part.startswith("pkg:pypi/pip@") for part in parts)
    for package in ("python3", "fonts-hanazono", "libc6"):
        assert any(part.startswith(f"pkg:deb/debian/{package}@") for part in parts), package
    assert any(part.startswith("pkg:npm/vue@") for part in parts)
    names = "import importlib.metadata as m; print(*(one.name for one in m.distributions()))"
    for name in image.shell(f"python -c '{names}'").split():
        assert any(part.startswith(f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@") for part in parts), name


@pytest.mark.parametrize("program", [*SERVICES, "gateway"])
def test_each_program_is_started_by_its_name_and_names_what_it_lacks(image: Image, program: str) -> None:
    said = image.shell(f"run {program} 2>&1; echo status $?")
    assert "AMQP_URI is not set" in said
    assert said.endswith("status 2")
    assert "Traceback" not in said


def test_an_unknown_program_is_refused_with_the_names_of_all(image: Image) -> None:
    assert "membership|validation|batching" in image.shell("run nonsense 2>&1; true")


def test_the_fonts_that_the_register_names_by_default_are_there(image: Image) -> None:
    script = (
        "from services.kit.documents.typeface import FontSettings, Typeface; "
        "print(Typeface(FontSettings().register_fonts.split(',')))"
    )
    assert "Typeface" in image.shell(f'python -W ignore -c "{script}"')


def test_the_health_check_follows_what_the_process_says_of_itself(image: Image) -> None:
    """A simulator stands for a process: it answers /readyz without broker and database."""
    name = "cards-health"
    docker = image.docker
    environment = ["--env=ENVIRONMENT=demo", "--env=SMS_PORT=8081", "--env=SIMULATOR_HOST=0.0.0.0"]
    started = time.monotonic()
    docker("run", "--detach", f"--name={name}", "--read-only", "--tmpfs=/tmp", "--health-interval=1s", *environment,
           image.tag, "python", "-m", "deploy.simulators.sms")  # fmt: skip
    try:
        while docker("inspect", "--format={{.State.Health.Status}}", name) != "healthy":
            assert time.monotonic() - started < 60
            time.sleep(0.1)
        print(f"\ncontainer healthy after {time.monotonic() - started:.1f} s")
        assert docker("exec", name, "healthy", "/readyz").startswith("HTTP/1.1 200")
        with pytest.raises(RuntimeError, match="404"):
            docker("exec", name, "healthy", "/nowhere")
        with pytest.raises(RuntimeError, match="does not answer"):
            docker("exec", name, "healthy", "/readyz", "9")
    finally:
        docker("rm", "--force", name)


def test_the_same_sources_make_the_same_layers(image: Image) -> None:
    again = build_image(image.docker, "union-cards:again", "--no-cache")
    print(f"\nbuilt again in {again.seconds:.0f} s")
    assert again.inspect()["RootFS"]["Layers"] == image.inspect()["RootFS"]["Layers"]
