{{- /* The pod template of a workload, whatever its kind. Takes {root, workload}. */ -}}
{{- define "platforms.pod" -}}
{{- $root := .root -}}
{{- $it := .workload -}}
{{- $volumes := dict -}}
{{- $absent := list -}}
{{- range $name, $source := $it.volumes -}}
{{- if and (not $root.Values.operators.secretsStore) (eq (dig "csi" "driver" "" $source) "secrets-store.csi.k8s.io") -}}
{{- $absent = append $absent $name -}}
{{- else -}}
{{- $_ := set $volumes $name $source -}}
{{- end -}}
{{- end -}}
metadata:
  labels: {{- merge (dict) ($it.podLabels | default dict) $it.labels | toYaml | nindent 4 }}
  {{- with $it.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $it.serviceAccount }}
  serviceAccountName: {{ . }}
  {{- end }}
  {{- if hasKey $it "automountToken" }}
  automountServiceAccountToken: {{ $it.automountToken }}
  {{- end }}
  {{- if hasKey $it "serviceLinks" }}
  enableServiceLinks: {{ $it.serviceLinks }}
  {{- end }}
  {{- with $it.priorityClass }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $it.gracePeriod }}
  terminationGracePeriodSeconds: {{ . }}
  {{- end }}
  {{- with $it.restartPolicy }}
  restartPolicy: {{ . }}
  {{- end }}
  {{- with $it.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $it.securityContext }}
  securityContext: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- include "platforms.placement" . | nindent 2 }}
  {{- with $it.initContainers }}
  initContainers:
    {{- range $name, $container := . }}
    {{- if ne ($container.enabled | toString) "false" }}
    - {{- include "platforms.container" (dict "root" $root "name" $name "container" $container "absent" $absent) | nindent 6 }}
    {{- end }}
    {{- end }}
  {{- end }}
  containers:
    {{- range $name, $container := $it.containers }}
    - {{- include "platforms.container" (dict "root" $root "name" $name "container" $container "absent" $absent) | nindent 6 }}
    {{- end }}
  {{- with $volumes }}
  volumes:
    {{- range $name, $source := . }}
    - name: {{ $name }}
      {{- toYaml $source | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}

{{- /* Where its pods may run. Takes {root, workload}. */ -}}
{{- define "platforms.placement" -}}
{{- $it := .workload -}}
{{- $gpu := $it.gpu | default dict -}}
{{- $nodes := merge (dict) (ternary .root.Values.gpu.nodeSelector (dict) ($gpu.chooseNodes | default false)) ($it.nodeSelector | default dict) -}}
{{- with $nodes }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with concat (ternary .root.Values.gpu.tolerations (list) ($gpu.tolerate | default false)) ($it.tolerations | default list) }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $it.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and $it.spreadOverZones .root.Values.zones.enabled }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: {{ .root.Values.zones.whenUnsatisfiable }}
    labelSelector:
      matchLabels: {{- toYaml $it.labels | nindent 8 }}
{{- end }}
{{- end -}}
