package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"time"
)

func adminKubeconfig(k keys, url string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "%s", certificate-authority: "%s"}}]
users: [{name: admin, user: {client-certificate: "%s", client-key: "%s"}}]
contexts: [{name: admin, context: {cluster: test, user: admin}}]
current-context: admin
`, url, k.ca, k.adminCert, k.adminKey)
}

func adminClient(k keys) (*http.Client, error) {
	pair, err := tls.LoadX509KeyPair(k.adminCert, k.adminKey)
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(k.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots}}}, nil
}
