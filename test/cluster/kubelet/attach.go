package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
)

// attacher attaches a client to the main process of a Pod, which prints the log and echoes its standard input.
type attacher struct{ pod *pod }

// AttachContainer writes the log from now on. It ends with the connection, with the Pod, or with the standard input.
func (a attacher) AttachContainer(ctx context.Context, _, _, _ string, in io.Reader, out, _ io.WriteCloser, _ bool, _ <-chan remotecommand.TerminalSize) error {
	ctx, cancel := a.pod.whileRuns(ctx)
	defer cancel()
	output := &lockedWriter{writer: out}
	if out == nil {
		output.writer = io.Discard
	}
	if in != nil {
		go func() {
			defer cancel()
			_, _ = io.Copy(output, in)
		}()
	}
	return a.pod.log.follow(ctx, a.pod.log.written(time.Now()), func(line int) error {
		_, err := fmt.Fprintf(output, "line %d\n", line)
		return err
	})
}

// lockedWriter lets several goroutines write to one stream.
type lockedWriter struct {
	mutex  sync.Mutex
	writer io.Writer
}

func (w *lockedWriter) Write(bytes []byte) (int, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.writer.Write(bytes)
}
