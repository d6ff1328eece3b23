package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// authenticationConfig trusts ID tokens of repository 123456 and project 20.
func authenticationConfig(k keys, issuers string, audiences []string) string {
	ca, _ := os.ReadFile(k.ca)
	issuer := func(name, url string) string {
		return fmt.Sprintf("- issuer:\n    url: %s\n    discoveryURL: %s/%s/.well-known/openid-configuration\n    audiences: [\"%s\"]\n    audienceMatchPolicy: MatchAny\n    certificateAuthority: |\n      %s\n",
			url, issuers, name, strings.Join(audiences, `","`), strings.ReplaceAll(strings.TrimSpace(string(ca)), "\n", "\n      "))
	}
	return "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt:\n" +
		issuer("github", "https://token.actions.githubusercontent.com") + `  claimValidationRules:
  - {expression: 'claims.repository_id == "123456"', message: "wrong repository_id"}
  - {expression: 'claims.event_name != "pull_request_target"', message: "pull_request_target is not allowed"}
  - {expression: 'claims.exp - claims.nbf <= 3600', message: "token lives too long"}
  claimMappings:
    username: {expression: '"ci:github:" + claims.sub'}
    groups: {expression: '["ci:github:repo:" + claims.repository_id]'}
    extra:
    - {key: ci.example.com/run-id, valueExpression: 'claims.run_id'}
    - {key: ci.example.com/run-attempt, valueExpression: 'claims.run_attempt'}
  userValidationRules:
  - {expression: "!user.username.startsWith('system:')", message: "reserved"}
` + issuer("gitlab", "https://gitlab.com") + `  claimValidationRules:
  - {expression: 'claims.project_id == "20"', message: "wrong project_id"}
  - {expression: 'claims.ref_protected == "true"', message: "ref is not protected"}
  claimMappings:
    username: {expression: '"ci:gitlab:" + claims.sub'}
    groups: {expression: '["ci:gitlab:project:" + claims.project_id]'}
    extra:
    - {key: ci.example.com/job-id, valueExpression: 'claims.job_id'}
  userValidationRules:
  - {expression: "!user.username.startsWith('system:')", message: "reserved"}
`
}

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
