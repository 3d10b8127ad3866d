{{- /* What this chart runs beside the server: pods of the server's image that do one thing and end. */ -}}

{{- /* The spec of such a pod. Takes `root`, `name`, `account` and `args`. */ -}}
{{- define "portreeve.jobPod" -}}
restartPolicy: Never
serviceAccountName: {{ .account }}
automountServiceAccountToken: true
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
containers:
  - name: {{ .name }}
    image: {{ include "portreeve.image" .root | quote }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    args: {{- toYaml .args | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      privileged: false
      readOnlyRootFilesystem: true
      capabilities:
        drop: [ALL]
    resources:
      requests: { cpu: 10m, memory: 32Mi }
      limits: { memory: 128Mi }
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "portreeve.cronJobName" -}}
{{- printf "%s-%s" (include "portreeve.fullname" .root | trunc 37 | trimSuffix "-") .name -}}
{{- end -}}

{{- /* A CronJob with an account of its own that may do what its `rules` say. Takes `root`, `name`, `schedule`, `args`, `rules`,
       and `minutes`, which all its attempts may take. */ -}}
{{- define "portreeve.cronJob" -}}
{{- $name := include "portreeve.cronJobName" . }}
{{- $labels := dict "app.kubernetes.io/component" .name "app.kubernetes.io/part-of" "portreeve" | toYaml }}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
spec:
  schedule: {{ .schedule | quote }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    metadata:
      labels: {{- $labels | nindent 8 }}
    spec:
      backoffLimit: 3
      activeDeadlineSeconds: {{ mul 60 (default 4 .minutes) }}
      template:
        metadata:
          # Not those that the Service selects by.
          labels: {{- $labels | nindent 12 }}
        spec: {{- include "portreeve.jobPod" (merge (dict "account" $name) .) | nindent 10 }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
automountServiceAccountToken: false
{{- if .root.Values.rbac.create }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
rules: {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- $labels | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
{{- end -}}
