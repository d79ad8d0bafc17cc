"""What helm renders from the chart: valid manifests, in which each program has what it needs and no more."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from deploy.chart_schema import SHARED_SECRETS, secrets_of_program, settings_of_program
from deploy.permissions import PROGRAMS, SERVICES
from tests.databases import ROOT
from tests.deploy import chart, custom_resources
from tests.deploy.chart import CHART, SMALLEST, Manifest, container, environment, merged, of_kind, pods, secret_keys
from tests.deploy.test_chart_values import NEEDED_IN_PRODUCTION, database_connections

pytestmark = pytest.mark.deploy("installs helm and the schemas of custom resources")

_CUSTOM = ("HTTPRoute", "PodMonitor", "ScaledObject", "TriggerAuthentication")
_NEEDS = {"broker": 5671, "management": 15671, "databases": 5432, "registry": 443, "sms": 443}


@pytest.fixture(scope="module", params=chart.configurations())
def values(request: pytest.FixtureRequest) -> Any:
    """The values of each configuration."""
    return chart.configurations()[request.param]


@pytest.fixture(scope="module")
def manifests(values: Any) -> list[Manifest]:
    return chart.render(values)


@pytest.fixture(scope="module")
def production() -> list[Manifest]:
    return chart.render(chart.example("production"))


@pytest.fixture(scope="module")
def smallest() -> list[Manifest]:
    return chart.render(SMALLEST)


def test_helm_finds_nothing_to_say_against_the_chart(values: Any) -> None:
    linted = chart.helm("lint", "--strict", str(CHART), values=values)

    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 chart(s) failed" in linted.stdout


def test_manifests_are_what_kubernetes_knows(manifests: list[Manifest]) -> None:
    checked = chart.validate_strictly([one for one in manifests if one["kind"] not in _CUSTOM])

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "WARN" not in checked.stdout


def test_an_unknown_field_or_a_wrong_type_would_be_found(smallest: list[Manifest]) -> None:
    deployment = of_kind(smallest, "Deployment")["batching"]
    unknown = merged(deployment, {"spec": {"surprise": 1}})
    of_wrong_type = merged(deployment, {"spec": {"revisionHistoryLimit": "three"}})

    assert chart.validate_strictly([unknown]).returncode != 0
    assert chart.validate_strictly([of_wrong_type]).returncode != 0


def test_custom_resources_are_what_their_operators_know(manifests: list[Manifest]) -> None:
    assert custom_resources.errors(manifests) == []
    assert chart.custom_resource_errors([one for one in manifests if one["kind"] in _CUSTOM]) == []


def test_a_custom_resource_of_wrong_type_would_be_found(production: list[Manifest]) -> None:
    scaled = merged(of_kind(production, "ScaledObject")["batching"], {"spec": {"maxReplicaCount": "four"}})

    assert len(chart.custom_resource_errors([scaled])) == 1
    assert len(custom_resources.errors([scaled])) == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"surprise": 1}, "additional properties 'surprise' not allowed"),
        ({"image": {"repository": ""}}, "/image/repository': minLength"),
        ({"host": "https://cards.example.org"}, "/host"),
        ({"programs": {"gateway": {"settings": {"MAX_CONECTIONS": "5"}}}}, "invalid propertyName 'MAX_CONECTIONS'"),
        ({"programs": {"batching": {"settings": {"BANK_HMAC_KEY": "x"}}}}, "invalid propertyName 'BANK_HMAC_KEY'"),
        ({"programs": {"membership": {"settings": {"AUDIT_ARCHIVE_FOLDER": "/x"}}}}, "'AUDIT_ARCHIVE_FOLDER'"),
        (
            {"programs": {"revocation": {"secretKeys": ["AUDIT_KEYS"]}}},
            "must be one of 'AMQP_URI', 'DATABASE_DIRECT_URL'",
        ),
        ({"programs": {"membership": {"replicas": 9}}}, "replicas, the fewest pods, are more than scale.max"),
        ({"programs": {"validation": {"replicas": 0}}}, "/replicas': minimum"),
        ({"programs": {"validation": {"settings": {"LOG_LEVEL": 5}}}}, "got number, want string"),
        ({"network": {"to": {"sms": {"peers": []}}}}, "/network/to/sms/peers': minItems"),
        ({"network": {"from": {"ingress": []}}}, "/network/from/ingress': minItems"),
        ({"expose": {"by": "httproute"}}, "/expose/parentRefs': minItems"),
        ({"backups": {"enabled": True}}, "/backups/claim': minLength"),
        ({"checks": {"invariants": {"schedule": "at night"}}}, "/checks/invariants/schedule"),
    ],
)
def test_bad_values_are_refused_with_their_place(change: dict[str, Any], word: str) -> None:
    refused = chart.helm("template", "cards", str(CHART), values=merged(SMALLEST, change))

    assert refused.returncode != 0
    assert word in refused.stderr


def test_the_operator_reads_how_many_connections_are_opened_and_how_the_first_account_is_made(values: Any) -> None:
    said = chart.helm("install", "cards", str(CHART), "--namespace", "cards", "--dry-run=client", values=values)

    assert said.returncode == 0, said.stderr
    _, _, notes = said.stdout.partition("NOTES:")
    most = database_connections(merged(chart.default_values(), values))
    assert f"open at most {most} connections to PostgreSQL" in notes
    assert "exec -it deploy/cards-membership -- python -m services.membership.accounts.first_administrator" in notes


def test_every_pod_is_bounded_and_confined(manifests: list[Manifest]) -> None:
    found = list(pods(manifests))

    assert len(found) >= len(SERVICES) + 1
    for name, pod in found:
        for amounts in (container(pod)["resources"]["requests"], container(pod)["resources"]["limits"]):
            assert set(amounts) == {"cpu", "memory"}, name
        confined = container(pod)["securityContext"]
        assert confined["readOnlyRootFilesystem"], name
        assert not confined["allowPrivilegeEscalation"], name
        assert confined["capabilities"] == {"drop": ["ALL"]}, name
        of_pod = pod["spec"]["securityContext"]
        assert of_pod["runAsNonRoot"], name
        assert of_pod["runAsUser"] == 10001, name
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name


def test_every_pod_has_an_account_without_a_token(manifests: list[Manifest]) -> None:
    accounts = of_kind(manifests, "ServiceAccount")

    assert all(one["automountServiceAccountToken"] is False for one in accounts.values())
    used = {name: pod["spec"]["serviceAccountName"].removeprefix("cards-") for name, pod in pods(manifests)}
    assert set(used.values()) == accounts.keys()
    assert all(used[program] == program for program in (*SERVICES, "gateway"))


def test_every_deployment_has_a_disruption_budget_and_a_policy_for_its_pods(manifests: list[Manifest]) -> None:
    deployments = of_kind(manifests, "Deployment")

    assert deployments.keys() == {*SERVICES, "gateway"}
    for name, deployment in deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        for kind, selector in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
            selected = of_kind(manifests, kind)[name]["spec"][selector]["matchLabels"]
            assert selected.items() <= labels.items()
            assert selected == deployment["spec"]["selector"]["matchLabels"]


def test_probes_and_services_use_ports_that_the_process_listens_on(manifests: list[Manifest]) -> None:
    for name, deployment in of_kind(manifests, "Deployment").items():
        pod = deployment["spec"]["template"]
        ports = {port["name"]: str(port["containerPort"]) for port in container(pod)["ports"]}
        listens = {"health": "HEALTH_PORT", "http": "GATEWAY_PORT"}
        assert ports == {port: environment(pod)[listens[port]] for port in ports}, name
        probes = {
            probe: container(pod)[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        }
        assert {probe["port"] for probe in probes.values()} == {"health"}
        assert probes["livenessProbe"]["path"] == probes["startupProbe"]["path"] == "/healthz"
        assert probes["readinessProbe"]["path"] == "/readyz"
    [service] = of_kind(manifests, "Service").values()
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    gateway = of_kind(manifests, "Deployment")["gateway"]
    assert service["spec"]["selector"] == gateway["spec"]["selector"]["matchLabels"]


def test_a_pod_that_ends_has_time_to_finish_its_work(manifests: list[Manifest]) -> None:
    for name, deployment in of_kind(manifests, "Deployment").items():
        pod = deployment["spec"]["template"]
        waits = container(pod).get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert (waits > 0) is (name == "gateway")
        assert pod["spec"]["terminationGracePeriodSeconds"] > waits + float(environment(pod)["STOP_SECONDS"])
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize("program", [*SERVICES, "gateway"])
def test_a_program_is_given_its_own_secrets_and_no_others(manifests: list[Manifest], program: str) -> None:
    given = secret_keys(of_kind(manifests, "Deployment")[program]["spec"]["template"])

    shared = {} if program == "gateway" else {"cards-services": {name: name for name in SHARED_SECRETS}}
    assert given.keys() == {f"cards-{program}", *shared}
    assert given.items() >= shared.items()
    own = given[f"cards-{program}"]
    assert own.keys() <= secrets_of_program(program)
    assert own == {name: name for name in own}


@pytest.mark.parametrize("program", [*SERVICES, "gateway"])
def test_a_program_is_given_every_setting_that_it_needs(manifests: list[Manifest], program: str) -> None:
    given = environment(of_kind(manifests, "Deployment")[program]["spec"]["template"])
    required = {one.variable for one in settings_of_program(program) if one.is_required}
    of_services = {"CALLER_PUBLIC_KEYS", "REQUEST_PRIVATE_KEYS", "AUDIT_PUBLIC_KEYS"}
    in_production = NEEDED_IN_PRODUCTION.get(program, set()) | (
        of_services if program in SERVICES else {"ALLOWED_HOSTS"}
    )

    for variable in required | in_production:
        assert given.get(variable) or given.get(f"{variable}_FILE"), variable


def test_every_variable_is_a_documented_setting(manifests: list[Manifest]) -> None:
    known = set(re.findall(r"`([A-Z_]+(?:<PROGRAM>|<SERVICE>)?)`", (ROOT / "docs/settings.md").read_text("utf-8")))
    known |= {name.replace("<PROGRAM>", program.upper()) for name in known for program in PROGRAMS}
    known |= {name.replace("<SERVICE>", service.upper()) for name in known for service in SERVICES}
    known |= {f"AMQP_URI_{service.upper()}" for service in SERVICES}

    for name, pod in pods(manifests):
        for variable in environment(pod):
            assert variable in known or variable.removesuffix("_FILE") in known, f"{name}: {variable}"


def test_no_secret_is_in_a_manifest(manifests: list[Manifest]) -> None:
    secrets = set().union(*map(secrets_of_program, (*SERVICES, "gateway")))

    assert not of_kind(manifests, "Secret")
    for name, pod in pods(manifests):
        for variable, value in environment(pod).items():
            is_file = variable.endswith("_FILE") and value.startswith(("/run/secrets/", "/run/ca/"))
            assert is_file or not variable.startswith(tuple(secrets)), f"{name}: {variable}"
            assert not re.search(r"://[^/]*@", value), f"{name}: {variable}"


def test_jobs_prepare_broker_and_databases_in_order_before_the_programs(smallest: list[Manifest]) -> None:
    jobs = of_kind(smallest, "Job")
    annotations = {name: job["metadata"]["annotations"] for name, job in jobs.items()}
    weights = {name: int(found["helm.sh/hook-weight"]) for name, found in annotations.items()}

    assert sorted(jobs, key=lambda name: (weights[name], name)) == [
        "definitions",
        "declare",
        *(f"migrate-{service}" for service in sorted(SERVICES)),
    ]
    assert weights["definitions"] < weights["declare"] < weights["migrate-batching"]
    for name, job in jobs.items():
        assert annotations[name]["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert set(annotations[name]["helm.sh/hook-delete-policy"].split(",")) == {
            "before-hook-creation",
            "hook-succeeded",
        }
        assert job["spec"]["activeDeadlineSeconds"] > 0
        account = of_kind(smallest, "ServiceAccount")[job["spec"]["template"]["spec"]["serviceAccountName"][6:]]
        for before in (account, of_kind(smallest, "NetworkPolicy")[name]):
            assert before["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
            assert int(before["metadata"]["annotations"]["helm.sh/hook-weight"]) < weights[name]


def test_the_society_has_a_user_where_membership_has_its_keys(
    smallest: list[Manifest], production: list[Manifest]
) -> None:
    def given(manifests: list[Manifest], kind: str, name: str) -> set[str]:
        files = secret_keys(of_kind(manifests, kind)[name]["spec"]["template"])
        return {
            variable for keys in files.values() for variable in keys if "INSURER" in variable or "ENROL" in variable
        }

    assert given(smallest, "Job", "definitions") == given(smallest, "Deployment", "membership") == set()
    assert given(production, "Job", "definitions") == {"AMQP_PASSWORD_INSURER"}
    assert given(production, "Deployment", "membership") == {
        *("INSURER_HMAC_KEY", "INSURER_PUBLIC_KEYS", "ENROLMENT_PRIVATE_KEYS")
    }


def test_a_migration_is_given_one_owner_and_the_keys_of_personal_data(smallest: list[Manifest]) -> None:
    for service in SERVICES:
        job = of_kind(smallest, "Job")[f"migrate-{service}"]["spec"]["template"]
        variable = f"DATABASE_URL_{service.upper()}"
        assert secret_keys(job)["cards-migrations"] == {variable: variable}
        assert secret_keys(job)["cards-services"].keys() == {"PERSONAL_DATA_KEYS", "BLIND_INDEX_KEY"}


def test_jobs_that_others_do_are_left_out() -> None:
    assert of_kind(chart.render(chart.example("external")), "Job").keys() == {f"migrate-{one}" for one in SERVICES}


def test_daily_jobs_never_overlap_and_end(production: list[Manifest]) -> None:
    found = of_kind(production, "CronJob")

    assert found.keys() == {"audit-verify", "invariants", *(f"backup-{service}" for service in SERVICES)}
    for one in found.values():
        assert one["spec"]["concurrencyPolicy"] == "Forbid"
        assert one["spec"]["timeZone"] == "Asia/Shanghai"
        assert one["spec"]["failedJobsHistoryLimit"] > 0
        assert one["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
        assert one["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0


def _reached(manifests: list[Manifest], name: str) -> set[int]:
    rules = of_kind(manifests, "NetworkPolicy")[name]["spec"]["egress"]
    assert all(rule["to"] for rule in rules)
    return {port["port"] for rule in rules for port in rule["ports"]} - {53}


def test_a_program_reaches_what_it_calls_and_nothing_else(smallest: list[Manifest]) -> None:
    service = {_NEEDS["broker"], _NEEDS["databases"]}

    assert {name: _reached(smallest, name) for name in (*SERVICES, "gateway")} == {
        "gateway": {_NEEDS["broker"]},
        "membership": service,
        "batching": service,
        "revocation": service,
        "validation": service | {_NEEDS["registry"]},
        "notification": service | {_NEEDS["sms"]},
    }
    assert _reached(smallest, "definitions") == {_NEEDS["management"]}
    assert _reached(smallest, "declare") == {_NEEDS["broker"]}
    assert _reached(smallest, "migrate-membership") == _reached(smallest, "audit-verify") == {_NEEDS["databases"]}


def test_only_validation_reaches_the_registry_and_only_notification_the_sms_provider(smallest: list[Manifest]) -> None:
    def callers(address: str) -> set[str]:
        return {name for name, policy in of_kind(smallest, "NetworkPolicy").items() if address in str(policy)}

    assert callers("203.0.113.7/32") == {"validation"}
    assert callers("203.0.113.8/32") == {"notification"}


def test_a_database_that_is_elsewhere_is_reached_by_its_service_alone() -> None:
    policies = chart.render(chart.example("external"))

    assert {name for name in SERVICES if 6432 in _reached(policies, name)} == {"membership"}
    assert _reached(policies, "membership") == {5671, 6432}


def test_a_standby_is_reached_by_the_services_that_are_given_its_address() -> None:
    keys = [*chart.default_values()["programs"]["membership"]["secretKeys"], "DATABASE_REPLICA_URL"]
    asks = {"programs": {"membership": {"secretKeys": keys}}}
    elsewhere = {"network": {"to": {"replicas": {"peers": [{"ipBlock": {"cidr": "192.0.2.64/28"}}], "ports": [5433]}}}}

    with_address = chart.render(merged(SMALLEST, asks, elsewhere))
    assert {name for name in SERVICES if 5433 in _reached(with_address, name)} == {"membership"}
    assert environment(of_kind(with_address, "Deployment")["membership"]["spec"]["template"])[
        "DATABASE_REPLICA_URL_FILE"
    ]
    for change in (asks, elsewhere):
        assert _reached(chart.render(merged(SMALLEST, change)), "membership") == {5671, 5432}


def test_membership_writes_archives_of_the_audit_log_and_checks_read_them(production: list[Manifest]) -> None:
    found = {}
    for name, pod in pods(production):
        mounts = {one["name"]: one for one in container(pod)["volumeMounts"]}
        if "audit-archives" in mounts:
            mount = mounts["audit-archives"]
            assert environment(pod)["AUDIT_ARCHIVE_FOLDER"] == mount["mountPath"]
            [volume] = [one for one in pod["spec"]["volumes"] if one["name"] == "audit-archives"]
            assert volume["persistentVolumeClaim"]["claimName"] == "cards-audit-archives"
            found[name] = bool(mount.get("readOnly")), bool(volume["persistentVolumeClaim"].get("readOnly"))
        else:
            assert "AUDIT_ARCHIVE_FOLDER" not in environment(pod)

    assert found == {"membership": (False, False), "audit-verify": (True, True), "invariants": (True, True)}


def test_without_a_claim_nothing_leaves_the_audit_log(smallest: list[Manifest]) -> None:
    for name, pod in pods(smallest):
        assert "AUDIT_ARCHIVE_FOLDER" not in environment(pod), name
        assert not [one for one in pod["spec"]["volumes"] if "persistentVolumeClaim" in one], name


def test_nothing_is_reached_but_the_gateway_by_the_ingress_and_measurements(manifests: list[Manifest]) -> None:
    policies = of_kind(manifests, "NetworkPolicy")
    everyone = policies.pop("deny")["spec"]

    assert everyone["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in everyone
    assert "egress" not in everyone
    open_ports = {
        name: [port["port"] for rule in policy["spec"].get("ingress", []) for port in rule["ports"]]
        for name, policy in policies.items()
    }
    assert {name: ports for name, ports in open_ports.items() if ports} == {
        **{service: ["health"] for service in SERVICES},
        "gateway": ["health", "http"],
    }
    for name, pod in pods(manifests):
        labels = pod["metadata"]["labels"]
        assert everyone["podSelector"]["matchLabels"].items() <= labels.items(), name
        assert policies[name]["spec"]["podSelector"]["matchLabels"].items() <= labels.items(), name


def test_what_is_scaled_has_no_number_of_pods_and_sane_bounds(production: list[Manifest]) -> None:
    scaled = {
        **{name: one["spec"] for name, one in of_kind(production, "ScaledObject").items()},
        "gateway": of_kind(production, "HorizontalPodAutoscaler")["gateway"]["spec"],
    }
    deployments = of_kind(production, "Deployment")

    assert scaled.keys() == deployments.keys()
    for name, spec in scaled.items():
        assert "replicas" not in deployments[name]["spec"]
        fewest = spec.get("minReplicaCount") or spec["minReplicas"]
        most = spec.get("maxReplicaCount") or spec["maxReplicas"]
        assert 2 <= fewest <= most
        assert spec["scaleTargetRef"]["name"] == deployments[name]["metadata"]["name"]
    [authentication] = of_kind(production, "TriggerAuthentication").values()
    for one in of_kind(production, "ScaledObject").values():
        for trigger in one["spec"]["triggers"]:
            assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]


def test_prometheus_finds_the_pods_of_all_programs(production: list[Manifest]) -> None:
    [monitor] = of_kind(production, "PodMonitor").values()
    [names] = [one["values"] for one in monitor["spec"]["selector"]["matchExpressions"]]

    assert set(names) == {*SERVICES, "gateway"}
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("health", "/metrics")


@pytest.mark.parametrize(("by", "kind"), [("ingress", "Ingress"), ("httproute", "HTTPRoute"), ("none", None)], ids=str)
def test_the_gateway_is_exposed_in_one_way(by: str, kind: str | None) -> None:
    found = chart.render(merged(SMALLEST, {"expose": {"by": by, "parentRefs": [{"name": "city"}]}}))

    assert {one["kind"] for one in found} & {"Ingress", "HTTPRoute"} == ({kind} if kind else set())


def test_a_change_of_tiles_restarts_the_gateway_alone() -> None:
    def templates(title: str) -> dict[str, Manifest]:
        found = chart.render(merged(SMALLEST, {"modules": [{"title": title, "url": "https://help.example"}]}))
        return of_kind(found, "Deployment")

    before, after = templates("before"), templates("after")
    assert {name for name in before if before[name] != after[name]} == {"gateway"}


def test_the_gateway_can_stay_at_a_release_while_others_are_replaced() -> None:
    digest = "sha256:" + "1" * 64
    values = {"image": {"tag": "0.3.0", "digest": digest}, "programs": {"gateway": {"tag": "0.2.0"}}}
    deployments = of_kind(chart.render(merged(SMALLEST, values)), "Deployment")
    images = {name: container(one["spec"]["template"])["image"] for name, one in deployments.items()}

    assert images.pop("gateway") == "registry.example/union-cards:0.2.0"
    assert set(images.values()) == {f"registry.example/union-cards:0.3.0@{digest}"}


@pytest.mark.parametrize(
    ("change", "is_there"),
    [
        ({"settings": {"LOG_LEVEL": "DEBUG"}}, lambda name: True),
        ({"programs": {"gateway": {"settings": {"LOG_LEVEL": "DEBUG"}}}}, lambda name: name == "gateway"),
    ],
    ids=["of all", "of one"],
)
def test_a_setting_reaches_those_whom_it_is_for(change: dict[str, Any], is_there: Callable[[str], bool]) -> None:
    deployments = of_kind(chart.render(merged(SMALLEST, change)), "Deployment")

    for name, deployment in deployments.items():
        given = environment(deployment["spec"]["template"])
        assert (given.get("LOG_LEVEL") == "DEBUG") is is_there(name), name
