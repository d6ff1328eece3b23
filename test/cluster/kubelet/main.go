// The command kubelet is a small kubelet for the tests. It registers a Node and runs the Pods that are bound to the
// Node. A container is a folder and some processes of this machine. Kubernetes' own library serves the streams, so exit
// codes, the error channel and a half-closed standard input are those of a real kubelet. The process ends when its
// standard input ends. The module is not the cluster's, because Kubernetes before 1.36 has no such library.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// apiTimeout bounds each clean-up: the API server may be gone.
const apiTimeout = 10 * time.Second

type config struct {
	kubeconfig string // the kubeconfig of the administrator
	node       string // the name of the Node
	cert, key  string // the certificate that the API server sees, and its key
	clientCA   string // the authority of the API server's client certificate
}

func main() {
	var c config
	flag.StringVar(&c.kubeconfig, "kubeconfig", "", "the kubeconfig of an administrator")
	flag.StringVar(&c.node, "node", "", "the name of the Node")
	flag.StringVar(&c.cert, "cert", "", "the server certificate for 127.0.0.1")
	flag.StringVar(&c.key, "key", "", "the key of the server certificate")
	flag.StringVar(&c.clientCA, "client-ca", "", "the authority of the API server's client certificate")
	flag.Parse()
	if err := serve(c); err != nil {
		fmt.Fprintln(os.Stderr, "kubelet:", err)
		os.Exit(1)
	}
}

func serve(c config) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// The kernel closes standard input when the parent process ends for any reason.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	restConfig, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "kubepass-kubelet-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	echo, err := listenEcho()
	if err != nil {
		return err
	}
	defer func() { _ = echo.Close() }()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	pods := newPods(client, c.node, folder)
	failed, err := serveStreams(listener, c, pods, echo.Addr().String())
	if err != nil {
		return err
	}
	if err := register(ctx, client, c.node, listener.Addr().(*net.TCPAddr).Port); err != nil {
		return err
	}
	watched := make(chan struct{})
	go func() {
		pods.watch(ctx)
		close(watched)
	}()
	// The tests wait for this line.
	fmt.Println("ready")
	select {
	case <-ctx.Done():
	case err = <-failed:
		stop()
	}
	<-watched
	cleanUp, cancel := context.WithTimeout(context.Background(), apiTimeout)
	defer cancel()
	return errors.Join(err, pods.removeAll(cleanUp), unregister(cleanUp, client, c.node), listener.Close())
}
