// Says which proxy Go's httpproxy, whose rules kubectl follows, names for a URL. Each line of standard input is a question.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"golang.org/x/net/http/httpproxy"
)

type question struct {
	Env map[string]string
	URL string
}

func main() {
	for decoder := json.NewDecoder(os.Stdin); ; {
		var asked question
		if err := decoder.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, "proxy-rules:", err)
			os.Exit(1)
		}
		os.Clearenv()
		for name, value := range asked.Env {
			os.Setenv(name, value)
		}
		answer := "none"
		target, err := url.Parse(asked.URL)
		if err == nil {
			proxy, err := httpproxy.FromEnvironment().ProxyFunc()(target)
			if err == nil && proxy != nil {
				answer = proxy.String()
			}
		}
		fmt.Println(answer)
	}
}
