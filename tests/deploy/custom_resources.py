"""The fields of custom resources that the chart and its examples use, with their types; no other field is accepted.

The published schemas of KEDA, Prometheus operator and Gateway API hold types too, but let unknown fields pass, which a
cluster would drop; those of RabbitMQ's operator and of CloudNativePG are in no package.
"""

from collections.abc import Iterable
from typing import Any

import jsonschema

Schema = dict[str, Any]
_TEXT: Schema = {"type": "string", "minLength": 1}
_COUNT: Schema = {"type": "integer", "minimum": 1}
_FLAG: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def _of(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**required, **optional},
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _resource(api_version: str, spec: Schema) -> Schema:
    metadata = _of({"name": _TEXT}, namespace=_TEXT, labels=_TEXTS, annotations=_TEXTS)
    return _of({"apiVersion": {"const": api_version}, "kind": _TEXT, "metadata": metadata, "spec": spec})


_AMOUNTS = _of({"cpu": _TEXT, "memory": _TEXT})
_RESOURCES = _of({"requests": _AMOUNTS, "limits": _AMOUNTS})
_SELECTOR = _of({"matchLabels": _TEXTS}, matchExpressions=_list({"type": "object"}))
_SCALE_DOWN = _of(
    {
        "stabilizationWindowSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
        "policies": _list(_of({"type": {"enum": ["Pods", "Percent"]}, "value": _COUNT, "periodSeconds": _COUNT})),
    }
)
_RABBITMQ_TRIGGER = _of(
    {
        "type": {"const": "rabbitmq"},
        "name": _TEXT,
        "metadata": _of(
            {
                "protocol": {"const": "http"},
                "vhostName": _TEXT,
                "queueName": {"type": "string", "pattern": r"^\^.*\$$"},
                "useRegex": {"const": "true"},
                "operation": {"enum": ["sum", "avg", "max"]},
                "mode": {"const": "QueueLength"},
                "value": {"type": "string", "pattern": "^[1-9][0-9]*$"},
            }
        ),
        "authenticationRef": _of({"name": _TEXT}),
    }
)
_RABBITMQ = _of(
    {
        "replicas": {"enum": [3, 5]},
        "image": _TEXT,
        "tls": _of({"secretName": _TEXT, "disableNonTLSListeners": _FLAG}),
        "resources": _RESOURCES,
        "persistence": _of({"storage": _TEXT}),
        "rabbitmq": _of({"additionalConfig": _TEXT}),
        "affinity": _of(
            {
                "podAntiAffinity": _of(
                    {
                        "requiredDuringSchedulingIgnoredDuringExecution": _list(
                            _of({"topologyKey": _TEXT, "labelSelector": _SELECTOR})
                        )
                    }
                )
            }
        ),
    }
)
_POSTGRES = _of(
    {
        "instances": _COUNT,
        "imageName": _TEXT,
        "postgresql": _of(
            {
                "synchronous": _of(
                    {"method": {"enum": ["any", "first"]}, "number": _COUNT},
                    dataDurability={"enum": ["required", "preferred"]},
                ),
                "parameters": _TEXTS,
                "pg_hba": _list(_TEXT),
            }
        ),
        "storage": _of({"size": _TEXT}),
        "walStorage": _of({"size": _TEXT}),
        "resources": _RESOURCES,
        "affinity": _of({"enablePodAntiAffinity": _FLAG, "podAntiAffinityType": _TEXT, "topologyKey": _TEXT}),
        "managed": _of({"roles": _list(_of({"name": _TEXT, "login": _FLAG, "passwordSecret": _of({"name": _TEXT})}))}),
    }
)
SCHEMAS: dict[str, Schema] = {
    "ScaledObject": _resource(
        "keda.sh/v1alpha1",
        _of(
            {
                "scaleTargetRef": _of({"name": _TEXT}),
                "minReplicaCount": _COUNT,
                "maxReplicaCount": _COUNT,
                "pollingInterval": _COUNT,
                "advanced": _of({"horizontalPodAutoscalerConfig": _of({"behavior": _of({"scaleDown": _SCALE_DOWN})})}),
                "triggers": _list(_RABBITMQ_TRIGGER),
            }
        ),
    ),
    "TriggerAuthentication": _resource(
        "keda.sh/v1alpha1",
        _of(
            {"secretTargetRef": _list(_of({"parameter": {"enum": ["host", "tls", "ca"]}, "name": _TEXT, "key": _TEXT}))}
        ),
    ),
    "PodMonitor": _resource(
        "monitoring.coreos.com/v1",
        _of(
            {
                "selector": _SELECTOR,
                "podTargetLabels": _list(_TEXT),
                "podMetricsEndpoints": _list(_of({"port": _TEXT, "path": _TEXT, "interval": _TEXT})),
            }
        ),
    ),
    "HTTPRoute": _resource(
        "gateway.networking.k8s.io/v1",
        _of(
            {
                "parentRefs": _list(_of({"name": _TEXT}, namespace=_TEXT)),
                "hostnames": _list(_TEXT),
                "rules": _list(
                    _of(
                        {
                            "matches": _list(_of({"path": _of({"type": {"const": "PathPrefix"}, "value": _TEXT})})),
                            "backendRefs": _list(_of({"name": _TEXT, "port": _COUNT})),
                        }
                    )
                ),
            }
        ),
    ),
    "RabbitmqCluster": _resource("rabbitmq.com/v1beta1", _RABBITMQ),
    "Cluster": _resource("postgresql.cnpg.io/v1", _POSTGRES),
    "Database": _resource(
        "postgresql.cnpg.io/v1", _of({"name": _TEXT, "owner": _TEXT, "cluster": _of({"name": _TEXT})})
    ),
}


def errors(manifests: Iterable[dict[str, Any]]) -> list[str]:
    """What is wrong with the custom resources among these."""
    return [
        f"{manifest['kind']} {manifest['metadata']['name']} {error.json_path}: {error.message}"
        for manifest in manifests
        if manifest["kind"] in SCHEMAS
        for error in jsonschema.Draft202012Validator(SCHEMAS[manifest["kind"]]).iter_errors(manifest)
    ]
