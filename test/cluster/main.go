// The command cluster runs the cluster of the tests and of the demo: etcd, kube-apiserver and
// kube-controller-manager in one process. The process ends when its standard input ends.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	genericapiserver "k8s.io/apiserver/pkg/server"
)

type config struct {
	dir           string        // holds every file of the cluster; removed when the cluster ends
	tokenCacheTTL time.Duration // how long the API server caches an accepted token; 10s is the default of Kubernetes
	controllers   bool          // run all controllers that the tests need, not only the controller of quotas
	audiences     string        // comma-separated accepted audiences of ID tokens, besides the URL of the API server
}

func main() {
	var c config
	flag.StringVar(&c.dir, "dir", "", "an empty directory for keys, certificates, the kubeconfig, logs and data")
	flag.DurationVar(&c.tokenCacheTTL, "token-cache-ttl", 10*time.Second, "how long the API server caches an accepted token; 0 switches the cache off")
	flag.BoolVar(&c.controllers, "controllers", false, "run all controllers that the tests need, not only the controller of quotas")
	flag.StringVar(&c.audiences, "audiences", "", "comma-separated accepted audiences of ID tokens, besides the URL of the API server")
	flag.Parse()
	if c.dir == "" {
		fmt.Fprintln(os.Stderr, "cluster: --dir is required")
		os.Exit(2)
	}
	go exitWithParent(c.dir)
	if err := serve(c); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

// exitWithParent ends this process when the parent process ends for any reason, because the kernel then closes
// standard input. A graceful stop would wait 60 s for every open watch.
func exitWithParent(dir string) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = os.RemoveAll(dir)
	os.Exit(0)
}

func serve(c config) error {
	ctx := genericapiserver.SetupSignalContext()
	keys, err := writeKeys(c.dir)
	if err != nil {
		return fmt.Errorf("write the keys: %w", err)
	}
	issuers, err := serveIssuers(keys)
	if err != nil {
		return fmt.Errorf("start the ID token issuers: %w", err)
	}
	etcd, err := startEtcd(filepath.Join(c.dir, "etcd"))
	if err != nil {
		return fmt.Errorf("start etcd: %w", err)
	}
	return serveAPI(ctx, c, keys, issuers, etcd)
}
