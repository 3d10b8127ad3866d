{{- /* What each part of the server needs of the whole cluster: part to rules. docs/cluster.md lists the same. Names are given
       wherever the API server looks at them. */ -}}
{{- define "portreeve.rights" -}}
{{- $v := .Values -}}
surroundings:
  - apiGroups: [""]
    resources: [namespaces]
    verbs: [get, list, watch]
{{- if $v.facts }}
facts:
  {{- include "portreeve.factRights" . | nindent 2 }}
{{- end }}
{{- if eq $v.policies.from "resources" }}
resources:
  - apiGroups: [portreeve.dev]
    resources: [clusterpolicies, policies, policyexceptions, policysets]
    verbs: [list, watch]
  - apiGroups: [portreeve.dev]
    resources: [clusterpolicies/status, policies/status, policyexceptions/status, policysets/status]
    verbs: [patch]
{{- end }}
{{- if $v.registration.enabled }}
registration:
  # Written by server-side apply, which is held to the name even where it creates.
  - apiGroups: [admissionregistration.k8s.io]
    resources: [mutatingwebhookconfigurations, validatingwebhookconfigurations]
    resourceNames: [{{ include "portreeve.fullname" . }}]
    verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- if $v.events.enabled }}
events:
  - apiGroups: [events.k8s.io]
    resources: [events]
    verbs: [create, patch]
  - apiGroups: [apps]
    resources: [replicasets]
    verbs: [get]
  - apiGroups: [batch]
    resources: [jobs]
    verbs: [get]
  {{- include "portreeve.furtherRights" (dict "kinds" $v.events.owners "verbs" (list "get")) | nindent 2 }}
{{- end }}
{{- if $v.scan.enabled }}
scan:
  - apiGroups: [""]
    resources: [pods, podtemplates, replicationcontrollers]
    verbs: [list]
  - apiGroups: [apps]
    resources: [daemonsets, deployments, replicasets, statefulsets]
    verbs: [list]
  - apiGroups: [batch]
    resources: [cronjobs, jobs]
    verbs: [list]
  {{- include "portreeve.furtherRights" (dict "kinds" $v.scan.kinds "verbs" (list "list")) | nindent 2 }}
  {{- if eq $v.scan.reports "open-reports" }}
  - apiGroups: [openreports.io]
    resources: [clusterreports, reports]
  {{- else }}
  - apiGroups: [wgpolicyk8s.io]
    resources: [clusterpolicyreports, policyreports]
  {{- end }}
    verbs: [get, list, create, patch, delete]
{{- end }}
{{- end -}}

{{- /* Watches of what facts are made of, by their names. */ -}}
{{- define "portreeve.factRights" -}}
{{- $of := dict
  "autoscalers" (dict "apiGroups" (list "autoscaling") "resources" (list "horizontalpodautoscalers"))
  "disruption-budgets" (dict "apiGroups" (list "policy") "resources" (list "poddisruptionbudgets"))
  "network-policies" (dict "apiGroups" (list "networking.k8s.io") "resources" (list "networkpolicies"))
  "running-pods" (dict "apiGroups" (list "") "resources" (list "pods"))
  "services" (dict "apiGroups" (list "") "resources" (list "services"))
  "zones" (dict "apiGroups" (list "") "resources" (list "nodes"))
-}}
{{- $kinds := list -}}
{{- range .Values.facts }}{{ $kinds = append $kinds (index $of .) }}{{ end -}}
{{- include "portreeve.furtherRights" (dict "kinds" $kinds "verbs" (list "list" "watch")) -}}
{{- end -}}

{{- /* Takes {kinds: [{apiGroups, resources}], verbs}. */ -}}
{{- define "portreeve.furtherRights" -}}
{{- $verbs := .verbs -}}
{{- range .kinds }}
- {{ merge (dict "verbs" $verbs) . | toYaml | nindent 2 | trim }}
{{- end -}}
{{- end -}}
