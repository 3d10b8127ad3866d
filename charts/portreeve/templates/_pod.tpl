{{- /* Parts of the pod that depend on several values. */ -}}

{{- define "portreeve.volumes" -}}
- name: config
  configMap:
    name: {{ include "portreeve.fullname" . }}
{{- if include "portreeve.secretOfOurs" . }}
# In memory: keys and tokens are in it. The server makes a folder of its own there, which is private as the volume
# itself can't be.
- name: certificates
  emptyDir:
    medium: Memory
    sizeLimit: 4Mi
{{- end }}
{{- if ne .Values.certificate.source "own" }}
- name: certificate
  secret:
    secretName: {{ include "portreeve.certificateSecret" . }}
    defaultMode: 0400
    items:
      - { key: tls.crt, path: tls.crt }
      - { key: tls.key, path: tls.key }
      {{- if .Values.registration.enabled }}
      - { key: {{ include "portreeve.authorities" . }}, path: ca.crt }
      {{- end }}
{{- end }}
{{- if include "portreeve.callersApart" . }}
- name: callers
  secret:
    {{- if eq .Values.callers.by "token" }}
    secretName: {{ .Values.callers.token.secretName }}
    defaultMode: 0400
    items:
      - { key: tokens, path: tokens }
      {{- if .Values.registration.enabled }}
      - { key: token, path: token }
      {{- end }}
    {{- else }}
    secretName: {{ required "callers.certificate.secretName: the Secret with the CAs of client certificates" .Values.callers.certificate.secretName }}
    defaultMode: 0400
    items:
      - { key: ca.crt, path: ca.crt }
    {{- end }}
{{- end }}
{{- if include "portreeve.hasPolicies" . }}
- name: policies
  projected:
    sources:
      {{- if .Values.policies.files }}
      - configMap:
          name: {{ include "portreeve.fullname" . }}-policies
      {{- end }}
      {{- range .Values.policies.configMaps }}
      - configMap:
          name: {{ . }}
      {{- end }}
{{- end }}
{{- with .Values.registryCredentials.secretName }}
- name: registries
  secret:
    secretName: {{ . }}
    defaultMode: 0400
    items:
      - { key: config.json, path: config.json }
{{- end }}
{{- with .Values.imageLock.configMap }}
- name: lock
  configMap:
    name: {{ . }}
{{- end }}
{{- if and .Values.config.traces .Values.collector.caConfigMap }}
- name: collector
  configMap:
    name: {{ .Values.collector.caConfigMap }}
    items:
      - { key: ca.crt, path: ca.crt }
{{- end }}
{{- if not .Values.storage.persistent }}
# Without a limit of size: going over it evicts the pod, and the book with it.
- name: ledger
  emptyDir: {}
{{- end }}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- end -}}

{{- /* Empty where callers are let in by a token of ours, which is in no mount. */ -}}
{{- define "portreeve.callersApart" -}}
{{- if not (and (include "portreeve.secretOfOurs" .) (eq .Values.callers.by "token")) -}}yes{{- end -}}
{{- end -}}

{{- /* How long a start may take: five minutes, and as long as the registry with the most mirrors may take for a module, an
       hour in all at most. */ -}}
{{- define "portreeve.startSeconds" -}}
{{- $hosts := 0 -}}
{{- if empty .Values.imageLock.configMap -}}
{{- range .Values.config.registries.registries -}}
{{- $hosts = max $hosts (len (default list .mirrors) | add1) -}}
{{- end -}}
{{- end -}}
{{- $timeouts := default dict .Values.config.registries.timeouts -}}
{{- $timeouts.moduleSeconds | default 120 | int64 | mul $hosts | add 300 | min 3600 -}}
{{- end -}}

{{- /* The port of the collector that traces are sent to. */ -}}
{{- define "portreeve.collectorPort" -}}
{{- $url := urlParse .Values.config.traces.endpoint -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (ternary "443" "80" (eq $url.scheme "https")) -}}
{{- end -}}

{{- define "portreeve.antiAffinity" -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" (dict "matchLabels" (include "portreeve.selectorLabels" . | fromYaml)) -}}
{{- if eq .Values.antiAffinity "required" -}}
requiredDuringSchedulingIgnoredDuringExecution:
  - {{- toYaml $term | nindent 4 }}
{{- else -}}
preferredDuringSchedulingIgnoredDuringExecution:
  - weight: 100
    podAffinityTerm: {{- toYaml $term | nindent 6 }}
{{- end -}}
{{- end -}}
