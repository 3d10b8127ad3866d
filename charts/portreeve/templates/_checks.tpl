{{- /* Values that are each right, and together would alarm for nothing, or run what nobody can name. */ -}}
{{- define "portreeve.checks" -}}
{{- if and .Values.image.requireDigest (empty .Values.image.digest) }}
{{- fail "image.digest is empty, and a tag can be moved to another image: give --set image.digest=sha256:…, as `crane digest` or the pipeline that pushed it says, or image.requireDigest=false to run by the tag" }}
{{- end }}
{{- if and .Values.breakGlassGroup (eq .Values.policies.from "resources") (not .Values.registration.enabled) }}
{{- fail "breakGlassGroup names a group, and with registration.enabled=false nobody asks whether who sets break-glass is in it: switch the registration on, or name no group" }}
{{- end }}
{{- if eq .Values.callers.by "token" }}
{{- $isGiven := not (empty .Values.callers.token.secretName) }}
{{- $isOwn := eq .Values.certificate.source "own" }}
{{- if and $isOwn $isGiven }}
{{- fail "callers.token.secretName names a Secret, and with certificate.source=own the token is the server's own too: leave it empty, or have the certificate made elsewhere" }}
{{- end }}
{{- if not (or $isOwn $isGiven .Values.registration.enabled) }}
{{- fail "callers.token.secretName is empty, and a token that the leader renews is registered by nobody with registration.enabled=false: name the Secret with the token that you register" }}
{{- end }}
{{- end }}
{{- $alerts := .Values.monitoring.alerts }}
{{- $scraped := or .Values.monitoring.serviceMonitor.enabled $alerts.enabled }}
{{- if and $scraped .Values.networkPolicy.enabled (empty .Values.networkPolicy.metricsFrom) }}
{{- fail "monitoring is switched on, and the NetworkPolicy lets nobody read metrics: name Prometheus' pods in networkPolicy.metricsFrom, also where a NetworkPolicy of your own lets them in" }}
{{- end }}
{{- if $alerts.enabled }}
{{- if le (int $alerts.evidenceHours) (int .Values.config.ledger.proof.everyHours) }}
{{- fail "monitoring.alerts.evidenceHours has to be more than config.ledger.proof.everyHours: a proof is that old before the next" }}
{{- end }}
{{- if gt (int .Values.config.ledger.proof.firstAfterMinutes) 45 }}
{{- fail "config.ledger.proof.firstAfterMinutes has to be at most 45 with alerts: an hour without a proof is a gap in the evidence" }}
{{- end }}
{{- $renewed := div .Values.certificate.lifetimes.leafDays 3 }}
{{- if and (eq .Values.certificate.source "own") (le $renewed (int64 $alerts.certificateDays)) }}
{{- fail (printf "monitoring.alerts.certificateDays has to be less than %d: certificates of certificate.lifetimes.leafDays are renewed when that many are left" $renewed) }}
{{- end }}
{{- end }}
{{- end -}}
