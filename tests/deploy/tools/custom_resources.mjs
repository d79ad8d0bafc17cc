// Holds custom resources, a JSON list on standard input, against their published schemas; prints one line for each error.
import { readFileSync } from "node:fs";
import { HTTPRoute } from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";
import { ScaledObject, TriggerAuthentication } from "@kubernetes-models/keda/keda.sh/v1alpha1";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const kinds = { HTTPRoute, PodMonitor, ScaledObject, TriggerAuthentication };
for (const manifest of JSON.parse(readFileSync(0, "utf-8"))) {
  const kind = kinds[manifest.kind];
  try {
    if (kind.apiVersion !== manifest.apiVersion) throw new Error(`is not ${kind.apiVersion}`);
    new kind(manifest).validate();
  } catch (error) {
    console.log(`${manifest.kind} ${manifest.metadata.name}: ${error.message}`);
  }
}
