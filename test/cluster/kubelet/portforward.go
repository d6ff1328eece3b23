package main

import (
	"context"
	"fmt"
	"io"
	"net"
)

// echoPort is the one open port of each Pod: the well-known port of the echo service.
const echoPort = 7

// forwarder connects the streams of a client with the port of a Pod.
type forwarder struct {
	pod  *pod
	echo string
}

func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	if port != echoPort {
		return fmt.Errorf("failed to connect to localhost:%d inside the Pod: connection refused", port)
	}
	ctx, cancel := f.pod.whileRuns(ctx)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp4", f.echo)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	go func() {
		_, _ = io.Copy(conn, stream)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, conn)
	return err
}

// listenEcho serves a TCP server that sends back all that it receives, and closes when the client has closed.
func listenEcho() (net.Listener, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener, nil
}
