{{- /* The server's configuration: what the values say of it, and the paths and ports that this chart mounts and opens.
       No folder of compiled policies: that would have to belong to the server's user alone, up to the root, and no
       volume of a pod does. Those that ship are compiled in; others are compiled at each start. */ -}}
{{- define "portreeve.server" -}}
cluster: {{ .Values.config.cluster | quote }}
listen: 0.0.0.0:{{ .Values.ports.webhook }}
operations: 0.0.0.0:{{ .Values.ports.metrics }}
tls:
  certificate: /etc/portreeve/tls/tls.crt
  key: /etc/portreeve/tls/tls.key
callers:
  {{- if eq .Values.callers.by "token" }}
  tokenFolder: /etc/portreeve/callers
  {{- else }}
  clientCa: /etc/portreeve/callers/ca.crt
  names: {{ toJson .Values.callers.certificate.names }}
  {{- end }}
{{- if include "portreeve.hasPolicies" . }}
policies: /etc/portreeve/policies
{{- end }}
state:
  folder: /var/lib/portreeve/state
ledger:
  folder: /var/lib/portreeve/book
  durability: {{ .Values.config.ledger.durability }}
  withoutRecord: {{ .Values.config.ledger.withoutRecord }}
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
{{- with .Values.config.limits }}
limits: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Empty where the platform profile is in force. */ -}}
{{- define "portreeve.hasPolicies" -}}
{{- if or .Values.policies.files .Values.policies.configMaps -}}yes{{- end -}}
{{- end -}}
