package main

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net"
	"net/http"
)

// serveIssuers serves the discovery documents and the public key of the ID token issuers of GitHub and GitLab.
// The issuer "ci" stands for both if the API server can trust only one issuer. The tests sign ID tokens with issuer.key.
func serveIssuers(k keys) (base string, err error) {
	pair, err := tls.LoadX509KeyPair(k.serverCert, k.serverKey)
	if err != nil {
		return "", err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	base = "https://" + listener.Addr().String()
	mux := http.NewServeMux()
	for name, issuer := range map[string]string{
		"github": "https://token.actions.githubusercontent.com", "gitlab": "https://gitlab.com", "ci": base + "/ci",
	} {
		mux.HandleFunc("/"+name+"/.well-known/openid-configuration", answer(map[string]any{
			"issuer": issuer, "jwks_uri": base + "/keys", "response_types_supported": []string{"id_token"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		}))
	}
	public := k.issuerKey.PublicKey
	encode := base64.RawURLEncoding.EncodeToString
	mux.HandleFunc("/keys", answer(map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "test", "n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes()),
	}}}))
	server := &http.Server{Handler: mux}
	go func() {
		_ = server.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}}))
	}()
	return base, nil
}

func answer(document any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(document)
	}
}
