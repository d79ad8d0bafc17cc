{{/* What the pods of programs and jobs share: labels, settings, secrets as files, and the pod itself. */}}

{{/* The labels that select the pods of one program or job. Takes root, name. */}}
{{- define "cards.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* The labels of all that the chart makes. Takes root, name. */}}
{{- define "cards.labels" -}}
{{ include "cards.selector" . }}
app.kubernetes.io/part-of: union-cards
app.kubernetes.io/version: {{ include "cards.release" . | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* The release that a program runs: its own tag or that of all. Takes root, name. */}}
{{- define "cards.release" -}}
{{- $own := dig .name "tag" "" .root.Values.programs -}}
{{- $own | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- end }}

{{/* Takes root, name. A program with a tag of its own is not pinned by the digest, which is that of image.tag. */}}
{{- define "cards.image" -}}
{{- $image := .root.Values.image -}}
{{- $own := dig .name "tag" "" .root.Values.programs -}}
{{- $image.repository }}:{{ include "cards.release" . }}{{ if and $image.digest (not $own) }}@{{ $image.digest }}{{ end }}
{{- end }}

{{/* The settings of every pod, as a map in YAML. Takes root, name. */}}
{{- define "cards.settings" -}}
{{- $values := .root.Values -}}
ENVIRONMENT: {{ $values.environment }}
ALLOW_PLAIN_CONNECTIONS: {{ $values.allowPlainConnections | toString | quote }}
RETRY_DELAYS: {{ $values.retryDelays | quote }}
STOP_SECONDS: {{ $values.stopSeconds | toString | quote }}
{{- if $values.authorities.broker.secret }}
SSL_CERT_FILE: /run/ca/broker.crt
{{- end }}
{{- if $values.authorities.web.secret }}
REQUESTS_CA_BUNDLE: /run/ca/web.crt
{{- end }}
{{- end }}

{{/* The volume of the audit log's archives, as a map in YAML; empty without a claim. Takes root, readOnly. */}}
{{- define "cards.archives" -}}
{{- with .root.Values.auditArchives.claim }}
name: audit-archives
claim: {{ . }}
path: /var/lib/cards/audit-archives
readOnly: {{ $.readOnly }}
{{- end }}
{{- end }}

{{/*
The pod. Takes root; name, by which labels, image and container go; account; args; settings, a map of variables;
secrets, a list of {secret, files: {VARIABLE: key}}; resources. Further: image and command of a foreign program,
restart (a job's policy), ports, probes, preStop, modules (the gateway's tiles), disk (a volume: name, claim, path,
readOnly).
*/}}
{{- define "cards.pod" -}}
{{- $values := .root.Values -}}
{{- $authorities := dict -}}
{{- range $of, $authority := $values.authorities }}
{{- if $authority.secret }}{{ $_ := set $authorities $of $authority }}{{ end }}
{{- end -}}
serviceAccountName: {{ .account }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .restart }}
restartPolicy: {{ . }}
{{- end }}
{{- if .probes }}
terminationGracePeriodSeconds: {{ add $values.stopSeconds (.preStop | default 0) 5 }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector: {matchLabels: {{ include "cards.selector" $ | fromYaml | toJson }}}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: {{ .name }}
    image: {{ .image | default (include "cards.image" .) }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    {{- with .command }}
    command: {{ toJson . }}
    {{- end }}
    args: {{ toJson .args }}
    env:
      {{- range $variable, $value := .settings }}
      - {name: {{ $variable }}, value: {{ $value | toString | quote }}}
      {{- end }}
      {{- range .secrets }}
      {{- range $variable, $key := .files }}
      - {name: {{ $variable }}_FILE, value: /run/secrets/{{ $variable }}}
      {{- end }}
      {{- end }}
    {{- with .ports }}
    ports:
      {{- range $port, $number := . }}
      - {name: {{ $port }}, containerPort: {{ $number }}}
      {{- end }}
    {{- end }}
    {{- if .probes }}
    startupProbe: # the imports of a cold node included
      httpGet: {path: /healthz, port: health}
      periodSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet: {path: /healthz, port: health}
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet: {path: /readyz, port: health}
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: 3
    {{- end }}
    {{- with .preStop }}
    lifecycle: {preStop: {sleep: {seconds: {{ . }}}}}
    {{- end }}
    resources: {{ toJson .resources }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      - {name: secrets, mountPath: /run/secrets, readOnly: true}
      {{- if $authorities }}
      - {name: authorities, mountPath: /run/ca, readOnly: true}
      {{- end }}
      {{- if .modules }}
      - {name: modules, mountPath: /run/modules, readOnly: true}
      {{- end }}
      {{- with .disk }}
      - {name: {{ .name }}, mountPath: {{ .path }}{{ if .readOnly }}, readOnly: true{{ end }}}
      {{- end }}
volumes:
  - name: tmp # in memory: uploads hold personal data
    emptyDir: {medium: Memory, sizeLimit: 256Mi}
  - name: secrets # not by subPath, so that new keys of personal data arrive without a restart
    projected:
      defaultMode: 0440
      sources:
        {{- range .secrets }}
        - secret:
            name: {{ .secret }}
            items:
              {{- range $variable, $key := .files }}
              - {key: {{ $key }}, path: {{ $variable }}}
              {{- end }}
        {{- end }}
  {{- if $authorities }}
  - name: authorities
    projected:
      sources:
        {{- range $of, $authority := $authorities }}
        - secret:
            name: {{ $authority.secret }}
            items: [{key: {{ $authority.key }}, path: {{ $of }}.crt}]
        {{- end }}
  {{- end }}
  {{- if .modules }}
  - name: modules
    configMap: {name: {{ .root.Release.Name }}-modules}
  {{- end }}
  {{- with .disk }}
  - name: {{ .name }}
    persistentVolumeClaim: {claimName: {{ .claim }}{{ if .readOnly }}, readOnly: true{{ end }}}
  {{- end }}
{{- end }}
