package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// linePeriod is the time between two lines of a log.
const linePeriod = 100 * time.Millisecond

// podLog is an endless log. Line n is n periods younger than the Pod, so the log needs no memory.
type podLog struct{ start time.Time }

func (l podLog) timeOf(line int) time.Time {
	return l.start.Add(time.Duration(line) * linePeriod)
}

// written returns the number of lines at this time.
func (l podLog) written(now time.Time) int {
	if now.Before(l.start) {
		return 0
	}
	return int(now.Sub(l.start)/linePeriod) + 1
}

// follow writes the lines from this one on, each as soon as it exists, until the context ends.
func (l podLog) follow(ctx context.Context, line int, write func(line int) error) error {
	for ; ; line++ {
		next := time.NewTimer(time.Until(l.timeOf(line)))
		select {
		case <-ctx.Done():
			next.Stop()
			return nil
		case <-next.C:
		}
		if err := write(line); err != nil {
			return err
		}
	}
}

// logOptions are the options of PodLogOptions that the API server passes on.
type logOptions struct {
	follow, previous, timestamps bool
	tailLines, limitBytes        int64 // negative: no limit
	since                        time.Time
}

func parseLogOptions(query url.Values, now time.Time) (o logOptions, err error) {
	o = logOptions{
		follow: query.Get("follow") == "true", previous: query.Get("previous") == "true", timestamps: query.Get("timestamps") == "true",
		tailLines: -1, limitBytes: -1,
	}
	sinceSeconds := int64(-1)
	for name, value := range map[string]*int64{"tailLines": &o.tailLines, "limitBytes": &o.limitBytes, "sinceSeconds": &sinceSeconds} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		if *value, err = strconv.ParseInt(text, 10, 64); err != nil || *value < 0 {
			return o, fmt.Errorf("invalid %s %q", name, text)
		}
	}
	if sinceSeconds >= 0 {
		o.since = now.Add(-time.Duration(sinceSeconds) * time.Second)
	}
	if text := query.Get("sinceTime"); text != "" {
		if o.since, err = time.Parse(time.RFC3339, text); err != nil {
			return o, fmt.Errorf("invalid sinceTime %q", text)
		}
	}
	return o, nil
}

// first returns the first of the lines that the options select.
func (o logOptions) first(l podLog, now time.Time) int {
	first, end := 0, l.written(now)
	if o.tailLines >= 0 && o.tailLines < int64(end) {
		first = end - int(o.tailLines)
	}
	for first < end && l.timeOf(first).Before(o.since) {
		first++
	}
	return first
}

func (s *server) serveLogs(w http.ResponseWriter, r *http.Request) {
	p, err := s.pods.find(r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	now := time.Now()
	options, err := parseLogOptions(r.URL.Query(), now)
	if err == nil && options.previous {
		err = fmt.Errorf("previous terminated container %q in pod %q not found", r.PathValue("container"), p.name)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := p.whileRuns(r.Context())
	defer cancel()
	w.Header().Set("Content-Type", "text/plain")
	report(writeLog(ctx, w, p.log, options, now))
}

// writeLog writes the selected lines. The end of the Pod ends the answer, so a client that follows the log ends, too.
func writeLog(ctx context.Context, w http.ResponseWriter, l podLog, options logOptions, now time.Time) error {
	left := options.limitBytes
	write := func(line int) error {
		text := fmt.Sprintf("line %d\n", line)
		if options.timestamps {
			text = l.timeOf(line).UTC().Format(time.RFC3339Nano) + " " + text
		}
		if left >= 0 {
			text = text[:min(int64(len(text)), left)]
			left -= int64(len(text))
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		if left == 0 {
			return io.EOF
		}
		return nil
	}
	flushing := func(line int) error {
		err := write(line)
		if flushErr := http.NewResponseController(w).Flush(); err == nil {
			err = flushErr
		}
		return err
	}
	line := options.first(l, now)
	err := error(nil)
	for end := l.written(now); line < end && err == nil; line++ {
		err = write(line)
	}
	if options.follow && err == nil {
		if err = http.NewResponseController(w).Flush(); err == nil {
			err = l.follow(ctx, line, flushing)
		}
	}
	if err == io.EOF || ctx.Err() != nil {
		return nil
	}
	return err
}
