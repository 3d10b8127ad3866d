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

{{- define "portreeve.certificateSecret" -}}
{{- default (printf "%s-tls" (include "portreeve.fullname" .)) .Values.certificate.secretName -}}
{{- end -}}

{{- define "portreeve.image" -}}
{{- $tagged := printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- ternary (printf "%s@%s" $tagged .Values.image.digest) $tagged (ne .Values.image.digest "") -}}
{{- end -}}
