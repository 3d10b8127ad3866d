{{- /* One entry of a webhook registration. Takes {root, call}, the call being mutate or validate. */ -}}
{{- define "portreeve.webhook" -}}
{{- $values := .root.Values.registration -}}
- name: {{ .call }}.portreeve.dev
  admissionReviewVersions: [v1]
  # A dry run leaves no record.
  sideEffects: NoneOnDryRun
  failurePolicy: {{ $values.failurePolicy }}
  matchPolicy: Equivalent
  timeoutSeconds: {{ $values.timeoutSeconds }}
  {{- if eq .call "mutate" }}
  # What others put in after us has to have its defaults too.
  reinvocationPolicy: IfNeeded
  {{- end }}
  clientConfig:
    {{- $path := printf "/%s%s" .call (include "portreeve.pathToken" .root) }}
    {{- if $values.url }}
    url: {{ trimSuffix "/" $values.url }}{{ $path }}
    {{- else }}
    service:
      name: {{ include "portreeve.fullname" .root }}
      namespace: {{ .root.Release.Namespace }}
      port: 443
      path: {{ $path }}
    {{- end }}
    {{- with include "portreeve.caBundle" .root }}
    caBundle: {{ . }}
    {{- end }}
  # The cluster's own recovery, and ours, never wait for us.
  namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: NotIn
        values: {{- concat (list "kube-system" "kube-node-lease" .root.Release.Namespace) $values.excludedNamespaces | uniq | toYaml | nindent 10 }}
  {{- with $values.matchConditions }}
  matchConditions: {{- toYaml . | nindent 4 }}
  {{- end }}
  rules: {{- toYaml $values.rules | nindent 4 }}
{{- end -}}

{{- /* `/<token>` where callers are known by it. */ -}}
{{- define "portreeve.pathToken" -}}
{{- if eq .Values.callers.by "token" -}}
{{- $name := include "portreeve.tokenSecret" . -}}
{{- $token := .Values.registration.token -}}
{{- if not $token -}}
{{- $data := (lookup "v1" "Secret" .Release.Namespace $name).data | default dict -}}
{{- $token = index $data "token" | default "" | b64dec -}}
{{- end -}}
/{{ required (printf "registration.token: not given, and the cluster has no Secret %s with the key `token` to read it from" $name) $token }}
{{- end -}}
{{- end -}}

{{- /* Empty where cert-manager puts it in. */ -}}
{{- define "portreeve.caBundle" -}}
{{- if .Values.registration.caBundle -}}
{{ .Values.registration.caBundle }}
{{- else if ne .Values.certificate.source "cert-manager" -}}
{{- $name := include "portreeve.certificateSecret" . -}}
{{- $data := (lookup "v1" "Secret" .Release.Namespace $name).data | default dict -}}
{{ required (printf "registration.caBundle: not given, and the cluster has no Secret %s with the key `ca.crt` to read it from" $name) (index $data "ca.crt" | default "") }}
{{- end -}}
{{- end -}}
