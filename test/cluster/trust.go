package main

import (
	"fmt"
	"os"
	"strings"

	utilversion "k8s.io/apimachinery/pkg/util/version"
	"k8s.io/component-base/version"
)

// trust names the issuers whose ID tokens the API server accepts, in the form that its version reads.
type trust struct {
	file       string   // the text of the file for --authentication-config
	soleFlags  []string // before Kubernetes 1.30: the flags for the one trusted issuer
	soleIssuer string   // before Kubernetes 1.30: the URL of the one trusted issuer
}

func (t trust) flags(path string) []string {
	if t.soleIssuer != "" {
		return t.soleFlags
	}
	return []string{"--authentication-config=" + path}
}

func trustIn(k keys, issuers, url string, audiences []string) trust {
	minor := utilversion.MustParseGeneric(version.Get().GitVersion).Minor()
	switch {
	case minor < 30:
		return soleTrust(k, issuers+"/ci", url)
	case minor < 34:
		return trust{file: authenticationConfig("v1beta1", k, issuers, append(audiences, url))}
	default:
		return trust{file: authenticationConfig("v1", k, issuers, append(audiences, url))}
	}
}

// soleTrust serves an API server that trusts one issuer and one audience and has no claim rules. The tests put
// the user and the group into claims of their own.
func soleTrust(k keys, issuer, audience string) trust {
	return trust{soleIssuer: issuer, soleFlags: []string{
		"--oidc-issuer-url=" + issuer, "--oidc-client-id=" + audience, "--oidc-ca-file=" + k.ca,
		"--oidc-username-claim=ci_user", "--oidc-username-prefix=ci:", "--oidc-groups-claim=ci_group", "--oidc-groups-prefix=ci:",
	}}
}

// authenticationConfig accepts ID tokens of the GitHub repository 123456 and of the GitLab project 20.
func authenticationConfig(version string, k keys, issuers string, audiences []string) string {
	ca, _ := os.ReadFile(k.ca)
	issuer := func(name, url string) string {
		return fmt.Sprintf("- issuer:\n    url: %s\n    discoveryURL: %s/%s/.well-known/openid-configuration\n    audiences: [\"%s\"]\n    audienceMatchPolicy: MatchAny\n    certificateAuthority: |\n      %s\n",
			url, issuers, name, strings.Join(audiences, `","`), strings.ReplaceAll(strings.TrimSpace(string(ca)), "\n", "\n      "))
	}
	return "apiVersion: apiserver.config.k8s.io/" + version + "\nkind: AuthenticationConfiguration\njwt:\n" +
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
