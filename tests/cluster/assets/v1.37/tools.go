//go:build tools

// Package assets names the Kubernetes commands that the cluster tests start, so that go.mod and go.sum pin them.
package assets

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
