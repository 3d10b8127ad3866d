{{- /* The names and labels that the templates share. */ -}}

{{- define "portreeve.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Release and chart name, said once when they are the same; 52 characters, so that suffixes fit into 63. */ -}}
{{- define "portreeve.fullname" -}}
{{- $name := include "portreeve.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "portreeve.selectorLabels" -}}
app.kubernetes.io/name: {{ include "portreeve.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "portreeve.labels" -}}
{{ include "portreeve.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: admission
app.kubernetes.io/part-of: portreeve
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "portreeve.serviceAccountName" -}}
{{- default (include "portreeve.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- /* The name that the API server calls, and that the certificate is for. */ -}}
{{- define "portreeve.host" -}}
{{ include "portreeve.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end -}}

{{- /* The host of the address at which the API server calls us, where that is not the Service. */ -}}
{{- define "portreeve.urlHost" -}}
{{- with .Values.registration.url }}{{ (urlParse .).hostname }}{{ end -}}
{{- end -}}

{{- /* An IPv4 or IPv6 address, and no name. */ -}}
{{- define "portreeve.isAddress" -}}
{{- if regexMatch "^[0-9.]+$|:" . }}yes{{ end -}}
{{- end -}}

{{- /* All names that the certificate is for, as JSON. */ -}}
{{- define "portreeve.certificateNames" -}}
{{- list (include "portreeve.host" .) (include "portreeve.urlHost" .) | compact | uniq | toJson -}}
{{- end -}}

{{- /* Not the same where it is ours: what somebody else writes there is no CA of ours to renew. */ -}}
{{- define "portreeve.certificateSecret" -}}
{{- $suffix := ternary "certificates" "tls" (eq .Values.certificate.source "own") -}}
{{- default (printf "%s-%s" (include "portreeve.fullname" .) $suffix) .Values.certificate.secretName -}}
{{- end -}}

{{- /* What the leader makes and renews: certificate and token, or the token where somebody else makes the certificate.
       Empty where the token is somebody else's too, not asked for, or registered by somebody whom no leader would tell
       of another. */ -}}
{{- define "portreeve.secretOfOurs" -}}
{{- if eq .Values.certificate.source "own" -}}
{{- include "portreeve.certificateSecret" . -}}
{{- else if and (eq .Values.callers.by "token") (empty .Values.callers.token.secretName) .Values.registration.enabled -}}
{{- include "portreeve.fullname" . }}-token
{{- end -}}
{{- end -}}

{{- /* A book that ends with its pod is no evidence: each new pod would be a gap. */ -}}
{{- define "portreeve.keepsEvidence" -}}
{{- if and .Values.evidence.enabled .Values.storage.persistent }}yes{{ end -}}
{{- end -}}

{{- /* The key of the certificate's Secret with the CAs that clients must trust. */ -}}
{{- define "portreeve.authorities" -}}
{{- ternary "ca-bundle.crt" "ca.crt" (eq .Values.certificate.source "own") -}}
{{- end -}}

{{- /* repository:tag, with the digest if there is one. */ -}}
{{- define "portreeve.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end -}}
