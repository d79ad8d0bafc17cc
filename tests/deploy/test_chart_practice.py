"""What a checker of common practice says of the rendered manifests; what is left has a reason here."""

from pathlib import Path

import pytest
import yaml

from tests.deploy import chart

pytestmark = pytest.mark.deploy("installs checkov, a hundred packages")

_ACCEPTED = {
    "CKV_K8S_21": "the namespace is helm's --namespace; manifests name none",
}
_ACCEPTED_WITHOUT_DIGEST = {
    **_ACCEPTED,
    "CKV_K8S_43": "image.digest pins the image where the operator sets it, as the example of a production does",
    "CKV_K8S_15": "follows from the other: a tag that moves would be pulled each time",
}


def test_manifests_follow_common_practice(tmp_path: Path) -> None:
    for name, values in chart.configurations().items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump_all(chart.render(values)))

    failed = chart.failed_practices(tmp_path)

    accepted = {"production.yaml": _ACCEPTED}
    assert [one for one in failed if one[1] not in accepted.get(one[0], _ACCEPTED_WITHOUT_DIGEST)] == []
    assert {check for _, check, _ in failed} == _ACCEPTED_WITHOUT_DIGEST.keys(), "a reason is no longer needed"


def test_a_container_without_bounds_would_be_found(tmp_path: Path) -> None:
    deployment = chart.of_kind(chart.render(chart.SMALLEST), "Deployment")["batching"]
    for name in ("resources", "securityContext"):
        del chart.container(deployment["spec"]["template"])[name]
    (tmp_path / "worse.yaml").write_text(yaml.safe_dump(deployment))

    checks = {check for _, check, _ in chart.failed_practices(tmp_path)}

    assert checks >= {"CKV_K8S_11", "CKV_K8S_13", "CKV_K8S_20", "CKV_K8S_22"}
