{{- /* One container of a pod. Takes {root, name, container, absent}: nothing of the absent volumes is mounted. */ -}}
{{- define "platforms.container" -}}
{{- $root := .root -}}
{{- $it := .container -}}
{{- $absent := .absent -}}
{{- $mounts := dict -}}
{{- range $path, $mount := $it.mounts -}}
{{- if not (has $mount.volume $absent) -}}
{{- $_ := set $mounts $path $mount -}}
{{- end -}}
{{- end -}}
{{- $image := required (printf "images.%s: container %s names it" $it.image .name) (index $root.Values.images $it.image) -}}
name: {{ .name }}
image: {{ $image.repository }}:{{ $image.tag }}{{ with $image.digest }}@{{ . }}{{ end }}
{{- with $it.command }}
command: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $it.args }}
args: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $it.ports }}
ports:
  {{- range $name, $port := . }}
  - { name: {{ $name }}, containerPort: {{ $port }} }
  {{- end }}
{{- end }}
{{- with $it.configMapEnv }}
envFrom:
  {{- range . }}
  - configMapRef: { name: {{ . }} }
  {{- end }}
{{- end }}
{{- if or $it.env $it.secretEnv $it.fieldEnv }}
env:
  {{- range $name, $value := $it.env }}
  - { name: {{ $name }}, value: {{ $value | quote }} }
  {{- end }}
  {{- range $name, $from := $it.secretEnv }}
  - name: {{ $name }}
    valueFrom: { secretKeyRef: { name: {{ $from.secret }}, key: {{ $from.key }} } }
  {{- end }}
  {{- range $name, $path := $it.fieldEnv }}
  - name: {{ $name }}
    valueFrom: { fieldRef: { fieldPath: {{ $path | quote }} } }
  {{- end }}
{{- end }}
{{- range $kind, $probe := $it.probes }}
{{ $kind }}Probe: {{- toYaml $probe | nindent 2 }}
{{- end }}
{{- with $it.lifecycle }}
lifecycle: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $it.securityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "platforms.resources" (dict "root" $root "container" $it) }}
resources: {{- . | nindent 2 }}
{{- end }}
{{- with $mounts }}
volumeMounts:
  {{- range $path, $mount := . }}
  - name: {{ $mount.volume }}
    mountPath: {{ $path }}
    {{- with $mount.subPath }}
    subPath: {{ . }}
    {{- end }}
    {{- if $mount.readOnly }}
    readOnly: true
    {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- /* Requests and limits, with the GPUs in both. Takes {root, container}. */ -}}
{{- define "platforms.resources" -}}
{{- $resources := deepCopy (.container.resources | default dict) -}}
{{- with .container.gpus -}}
{{- $gpus := dict $.root.Values.gpu.resource . -}}
{{- range list "requests" "limits" -}}
{{- $_ := set $resources . (merge (dict) $gpus (index $resources . | default dict)) -}}
{{- end -}}
{{- end -}}
{{- with $resources -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}
