package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

// idleTimeout is the kubelet's streamingConnectionIdleTimeout.
const idleTimeout = 4 * time.Hour

type server struct {
	pods *pods
	echo string // the address of the echo server
}

// serveStreams serves the endpoints that the API server calls. The channel returns the error that ends the server.
func serveStreams(listener net.Listener, c config, s *pods, echo string) (<-chan error, error) {
	config, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	h := &server{pods: s, echo: echo}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", h.serveLogs)
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", h.serveExec)
	mux.HandleFunc("/attach/{namespace}/{pod}/{container}", h.serveAttach)
	mux.HandleFunc("/portForward/{namespace}/{pod}", h.servePortForward)
	web := &http.Server{Handler: mux, TLSConfig: config, ConnContext: contextOf}
	failed := make(chan error, 1)
	go func() { failed <- web.ServeTLS(closeListener{listener}, "", "") }()
	return failed, nil
}

// tlsConfig lets in only the administrator: the kubelet runs commands as the user of the tests.
func tlsConfig(c config) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(c.clientCA)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s holds no certificate", c.clientCA)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: authorities, ClientAuth: tls.RequireAndVerifyClientCert,
		VerifyConnection: func(state tls.ConnectionState) error {
			if !slices.Contains(state.PeerCertificates[0].Subject.Organization, "system:masters") {
				return errors.New("the client is not the API server")
			}
			return nil
		},
	}, nil
}

func (s *server) serveExec(w http.ResponseWriter, r *http.Request) {
	p, options := s.streamOptions(w, r)
	if p == nil {
		return
	}
	remotecommand.ServeExec(w, r, executor{p}, p.name, string(p.uid), r.PathValue("container"), r.URL.Query()["command"], options,
		idleTimeout, remotecommand.DefaultStreamCreationTimeout, remotecommand.SupportedStreamingProtocols)
}

func (s *server) serveAttach(w http.ResponseWriter, r *http.Request) {
	p, options := s.streamOptions(w, r)
	if p == nil {
		return
	}
	remotecommand.ServeAttach(w, r, attacher{p}, p.name, string(p.uid), r.PathValue("container"), options,
		idleTimeout, remotecommand.DefaultStreamCreationTimeout, remotecommand.SupportedStreamingProtocols)
}

func (s *server) streamOptions(w http.ResponseWriter, r *http.Request) (*pod, *remotecommand.Options) {
	options, err := remotecommand.NewOptions(r)
	if err == nil && options.TTY {
		err = errors.New("the containers of this kubelet have no terminal")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, nil
	}
	p, err := s.pods.find(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return nil, nil
	}
	return p, options
}

func (s *server) servePortForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p, err := s.pods.find(r.PathValue("namespace"), r.PathValue("pod"), "")
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	portforward.ServePortForward(w, r, forwarder{p, s.echo}, p.name, string(p.uid), options,
		idleTimeout, remotecommand.DefaultStreamCreationTimeout, portforward.SupportedProtocols)
}

// closeConn is a connection with a context that ends with it. A request's own context does not end after an upgrade.
type closeConn struct {
	net.Conn
	ctx    context.Context
	cancel context.CancelFunc
}

func (c *closeConn) Read(buffer []byte) (int, error) {
	n, err := c.Conn.Read(buffer)
	var timeout net.Error
	if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
		c.cancel()
	}
	return n, err
}

func (c *closeConn) Close() error {
	c.cancel()
	return c.Conn.Close()
}

type closeListener struct{ net.Listener }

func (l closeListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &closeConn{Conn: conn, ctx: ctx, cancel: cancel}, nil
}

// contextOf makes the end of the connection the end of its requests, too.
func contextOf(ctx context.Context, conn net.Conn) context.Context {
	closing := conn.(*tls.Conn).NetConn().(*closeConn)
	merged, _ := both(ctx, closing.ctx)
	return merged
}

// both returns a context that ends with either of the two.
func both(one, other context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(one)
	stop := context.AfterFunc(other, cancel)
	var once sync.Once
	return ctx, func() {
		once.Do(func() {
			stop()
			cancel()
		})
	}
}

// whileRuns returns a context that ends with the request or with the Pod.
func (p *pod) whileRuns(request context.Context) (context.Context, context.CancelFunc) {
	return both(request, p.ctx)
}
