//go:build before_1_31

package main

import (
	"context"

	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// setFeatureGates does nothing, because the flags set the feature gates of these versions.
func setFeatureGates(*options.ServerRunOptions) error { return nil }

func complete(_ context.Context, s *options.ServerRunOptions) (options.CompletedOptions, error) {
	return s.Complete()
}

func run(ctx context.Context, completed options.CompletedOptions) error {
	return app.Run(completed, ctx.Done())
}
