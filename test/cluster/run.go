//go:build !before_1_31

package main

import (
	"context"

	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

func setFeatureGates(s *options.ServerRunOptions) error {
	return s.GenericServerRunOptions.ComponentGlobalsRegistry.Set()
}

func complete(ctx context.Context, s *options.ServerRunOptions) (options.CompletedOptions, error) {
	return s.Complete(ctx)
}

func run(ctx context.Context, completed options.CompletedOptions) error {
	return app.Run(ctx, completed)
}
