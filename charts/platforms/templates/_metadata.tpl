{{- /* What stands in the metadata of every object. */ -}}

{{- /* Takes {root, name, namespace, labels, annotations}. Namespaces have no namespace. */ -}}
{{- define "platforms.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if not (hasKey (.labels | default dict) "app.kubernetes.io/part-of") }}
  {{- if ne (.ours | toString) "false" }}
  app.kubernetes.io/part-of: {{ .root.Values.platform }}
  {{- end }}
  {{- end }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Whether a workload is to be rendered: not empty if so. Takes {root, workload}. */ -}}
{{- define "platforms.runs" -}}
{{- $asked := ne (.workload.enabled | toString) "false" -}}
{{- $fits := or (not (hasKey .workload "gpu")) .root.Values.gpu.enabled -}}
{{- if and $asked $fits -}}yes{{- end -}}
{{- end -}}

{{- /* A PersistentVolumeClaim's spec. Takes {root, claim}. */ -}}
{{- define "platforms.claim" -}}
accessModes: {{ .claim.accessModes | default (list "ReadWriteOnce") | toJson }}
{{- with .claim.className | default .root.Values.storage.className }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .claim.size }}
{{- end -}}
