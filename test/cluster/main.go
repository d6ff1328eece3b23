// The cluster that the tests and the demo run against: a real etcd, the real kube-apiserver and, on a
// flag, the real controller manager, in one process that lives as long as its standard input is open.
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
	dir           string        // everything the cluster writes; removed when the cluster ends
	tokenCacheTTL time.Duration // how long the API server believes a token it has accepted (10s in real life)
	controllers   bool          // run all controllers that the tests need, not the one of quotas alone
	audiences     string        // comma-separated audiences of ID tokens, beside the server's own URL
}

func main() {
	var c config
	flag.StringVar(&c.dir, "dir", "", "an empty directory for keys, certificates, kubeconfigs, logs and data")
	flag.DurationVar(&c.tokenCacheTTL, "token-cache-ttl", 10*time.Second, "TokenSuccessCacheTTL of the API server; 0 switches the cache off")
	flag.BoolVar(&c.controllers, "controllers", false, "run all controllers that the tests need, not the one of quotas alone")
	flag.StringVar(&c.audiences, "audiences", "", "comma-separated audiences of ID tokens, beside the server's own URL")
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

// The parent holds our standard input open; when it ends, however it ends, so do we. A graceful stop
// would wait 60 s for every open watch.
func exitWithParent(dir string) {
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = os.RemoveAll(dir)
	os.Exit(0)
}

func serve(c config) error {
	ctx := genericapiserver.SetupSignalContext()
	keys, err := writeKeys(c.dir)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	issuers, err := serveIssuers(keys)
	if err != nil {
		return fmt.Errorf("ID token issuers: %w", err)
	}
	etcd, err := startEtcd(filepath.Join(c.dir, "etcd"))
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	return serveAPI(ctx, c, keys, issuers, etcd)
}
