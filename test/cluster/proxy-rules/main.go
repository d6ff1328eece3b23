// The command proxy-rules prints the proxy that Go's httpproxy selects for a URL, or "none". kubectl uses the same package.
// Each line of standard input is one request.
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

type request struct {
	Env map[string]string
	URL string
}

func main() {
	for decoder := json.NewDecoder(os.Stdin); ; {
		var request request
		if err := decoder.Decode(&request); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, "proxy-rules:", err)
			os.Exit(1)
		}
		os.Clearenv()
		for name, value := range request.Env {
			os.Setenv(name, value)
		}
		selected := "none"
		target, err := url.Parse(request.URL)
		if err == nil {
			proxy, err := httpproxy.FromEnvironment().ProxyFunc()(target)
			if err == nil && proxy != nil {
				selected = proxy.String()
			}
		}
		fmt.Println(selected)
	}
}
