{{- /* The server's configuration: what the values say of it, and the paths and ports that this chart mounts and opens.
       No folder of compiled policies: that would have to belong to the server's user alone, up to the root, and no
       volume of a pod does. Those that ship are compiled in; others are compiled at each start. */ -}}
{{- define "portreeve.server" -}}
cluster: {{ .Values.config.cluster | quote }}
listen: 0.0.0.0:{{ .Values.ports.webhook }}
operations: 0.0.0.0:{{ .Values.ports.metrics }}
tls:
  {{- if eq .Values.certificate.source "own" }}
  folder: /run/portreeve/certificates
  names: {{ include "portreeve.certificateNames" . }}
  {{- else }}
  certificate: /etc/portreeve/tls/tls.crt
  key: /etc/portreeve/tls/tls.key
  {{- end }}
callers:
  {{- if not (include "portreeve.callersApart" .) }}
  tokenFolder: /run/portreeve/{{ ternary "certificates" "tokens" (eq .Values.certificate.source "own") }}
  {{- else if eq .Values.callers.by "token" }}
  tokenFolder: /etc/portreeve/callers
  {{- else }}
  clientCa: /etc/portreeve/callers/ca.crt
  names: {{ toJson .Values.callers.certificate.names }}
  {{- end }}
{{- if include "portreeve.hasPolicies" . }}
policies: /etc/portreeve/policies
{{- end }}
kubernetes: {{- include "portreeve.kubernetes" . | nindent 2 }}
state:
  folder: /var/lib/portreeve/state
ledger:
  folder: /var/lib/portreeve/book
  durability: {{ .Values.config.ledger.durability }}
  withoutRecord: {{ .Values.config.ledger.withoutRecord }}
  proof: {{- toYaml .Values.config.ledger.proof | nindent 4 }}
{{- $registries := .Values.config.registries }}
{{- if .Values.registryCredentials.secretName }}
{{- $registries = merge (dict "credentialsFile" "/etc/portreeve/registries/config.json") $registries }}
{{- end }}
{{- if .Values.imageLock.configMap }}
{{- $registries = merge (dict "lockFile" "/etc/portreeve/lock/images.lock") $registries }}
{{- end }}
{{- with $registries }}
registries: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.config.templatePaths }}
templatePaths: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.config.namespaceDefaults }}
namespaceDefaults: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .Values.config.traces }}
{{- $traces := .Values.config.traces }}
{{- if .Values.collector.caConfigMap }}
{{- $traces = merge (dict "caFile" "/etc/portreeve/collector/ca.crt") $traces }}
{{- end }}
traces: {{- toYaml $traces | nindent 2 }}
{{- end }}
{{- with .Values.config.limits }}
limits: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* What it does in the cluster. Its namespace comes from the pod. */ -}}
{{- define "portreeve.kubernetes" -}}
policies: {{ .Values.policies.from }}
{{- with include "portreeve.secretOfOurs" . }}
{{ ternary "certificateSecret" "tokenSecret" (eq $.Values.certificate.source "own") }}: {{ . }}
rotation: {{- toYaml $.Values.certificate.lifetimes | nindent 2 }}
{{- end }}
lease: {{ include "portreeve.fullname" . }}
events: {{ .Values.events.enabled }}
{{- with .Values.breakGlassGroup }}
breakGlassGroup: {{ . | quote }}
{{- end }}
{{- if .Values.scan.enabled }}
scan: {{- pick .Values.scan "everySeconds" "perSecond" "reports" | toYaml | nindent 2 }}
{{- end }}
{{- if .Values.registration.enabled }}
registration:
  name: {{ include "portreeve.fullname" . }}
  {{- if .Values.registration.url }}
  at: { url: {{ .Values.registration.url | quote }} }
  {{- else }}
  at: { service: {{ include "portreeve.fullname" . }} }
  {{- end }}
  {{- if ne .Values.certificate.source "own" }}
  caFile: /etc/portreeve/tls/ca.crt
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Empty where there are no files of policies. */ -}}
{{- define "portreeve.hasPolicies" -}}
{{- if or .Values.policies.files .Values.policies.configMaps -}}
{{- if ne .Values.policies.from "files" -}}
{{- fail "policies.files and policies.configMaps are read with policies.from=files alone; apply them to the cluster, or say so" -}}
{{- end -}}
yes
{{- end -}}
{{- end -}}
