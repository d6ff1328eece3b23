package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	kcm "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

const auditPolicy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n"

func serveAPI(ctx context.Context, c config, k keys, issuers, etcd string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	url := fmt.Sprintf("https://127.0.0.1:%d", port)
	at := func(name string) string { return filepath.Join(c.dir, name) }
	trusted := trustIn(k, issuers, url, strings.FieldsFunc(c.audiences, func(r rune) bool { return r == ',' }))
	for name, text := range map[string]string{
		"audit-policy.yaml": auditPolicy, "authentication.yaml": trusted.file, "admin.kubeconfig": adminKubeconfig(k, url),
	} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			return err
		}
	}

	s := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range s.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(append(trusted.flags(at("authentication.yaml")),
		"--etcd-servers="+etcd, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file="+k.serverCert, "--tls-private-key-file="+k.serverKey, "--client-ca-file="+k.ca,
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+k.serviceAccounts,
		"--service-account-signing-key-file="+k.serviceAccounts, "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24",
		// A kubelet serves the certificate of the API server, and accepts only the administrator.
		"--kubelet-certificate-authority="+k.ca, "--kubelet-client-certificate="+k.adminCert, "--kubelet-client-key="+k.adminKey,
		"--disable-admission-plugins=ServiceAccount", "--audit-policy-file="+at("audit-policy.yaml"), "--audit-log-path="+at("audit.log"),
	)); err != nil {
		return err
	}
	s.SecureServing.Listener = listener
	s.Authentication.TokenSuccessCacheTTL = c.tokenCacheTTL
	if err := setFeatureGates(s); err != nil {
		return err
	}
	if err := logsapi.ValidateAndApply(s.Logs, utilfeature.DefaultFeatureGate); err != nil {
		return err
	}
	completed, err := complete(ctx, s)
	if err != nil {
		return err
	}
	if problems := completed.Validate(); len(problems) != 0 {
		return utilerrors.NewAggregate(problems)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- run(ctx, completed) }()
	if err := waitReady(k, url, stopped); err != nil {
		return err
	}
	// Without this controller the API server refuses all objects that a ResourceQuota counts.
	controllers := "resourcequota-controller"
	if c.controllers {
		controllers += ",serviceaccount-controller,serviceaccount-token-controller,garbage-collector-controller,namespace-controller,clusterrole-aggregation-controller"
	}
	go func() { stopped <- runControllers(k, at("admin.kubeconfig"), controllers) }()
	// The tests use the cluster as soon as this file exists, so the file is written last.
	about, _ := json.Marshal(map[string]string{"server": url, "soleIssuer": trusted.soleIssuer})
	if err := os.WriteFile(at("ready.json.part"), about, 0o600); err != nil {
		return err
	}
	if err := os.Rename(at("ready.json.part"), at("ready.json")); err != nil {
		return err
	}
	return <-stopped
}

func runControllers(k keys, kubeconfig, controllers string) error {
	// The API server has already configured the logging of this process.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	manager := kcm.NewControllerManagerCommand()
	manager.SetArgs([]string{"--kubeconfig=" + kubeconfig, "--leader-elect=false", "--secure-port=0", "--service-account-private-key-file=" + k.serviceAccounts,
		"--controllers=" + controllers})
	return manager.Execute()
}

func waitReady(k keys, url string, stopped <-chan error) error {
	client, err := adminClient(k)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		select {
		case err := <-stopped:
			return fmt.Errorf("the API server stopped: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
		response, err := client.Get(url + "/readyz")
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.New("the API server was not ready within 2 minutes")
}
