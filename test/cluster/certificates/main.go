// The command certificates writes the certificates and keys of docs/compatibility.md into the folder that its argument names.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var folder string

func main() {
	folder = os.Args[1]
	root := sign("root", authority("a root"), ec(), nil)
	intermediate := sign("intermediate", authority("an intermediate"), ec(), root)
	old := authority("an expired root")
	old.NotAfter = time.Now().Add(-time.Minute)
	expired := sign("expired-root", old, ec(), nil)

	sign("server", server("kube-apiserver"), ec(), intermediate)
	sign("server-of-root", server("kube-apiserver"), ec(), root)
	sign("server-of-expired-root", server("kube-apiserver"), ec(), expired)
	sign("self-signed", server("alone"), ec(), nil)
	late := server("kube-apiserver")
	late.NotAfter = time.Now().Add(-time.Minute)
	sign("expired", late, ec(), root)
	other := server("kube-apiserver")
	other.IPAddresses, other.DNSNames = nil, []string{"elsewhere.test"}
	sign("elsewhere", other, ec(), root)
	unnamed := server("kubernetes.test")
	unnamed.IPAddresses, unnamed.DNSNames = nil, nil
	sign("common-name", unnamed, ec(), root)

	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	for name, key := range map[string]crypto.Signer{"client-rsa": rsa2048, "client-p384": p384, "client-ed25519": ed} {
		sign(name, client(), key, root)
	}
}

func template(name string) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	must(err)
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true}
}

func authority(name string) *x509.Certificate {
	t := template(name)
	t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	return t
}

func server(name string) *x509.Certificate {
	t := template(name)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	t.IPAddresses, t.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, []string{"localhost", "kubernetes.test"}
	return t
}

func client() *x509.Certificate {
	t := template("ci:client")
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return t
}

func ec() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return key
}

// sign signs t with the key of the parent, or with its own key if parent is nil. It writes NAME.crt and NAME.key.
func sign(name string, t *x509.Certificate, key crypto.Signer, parent *pair) *pair {
	if parent == nil {
		parent = &pair{t, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent.cert, key.Public(), parent.key)
	must(err)
	cert, err := x509.ParseCertificate(der)
	must(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	write(name+".crt", "CERTIFICATE", der)
	write(name+".key", "PRIVATE KEY", pkcs8)
	return &pair{cert, key}
}

func write(name, label string, der []byte) {
	must(os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}), 0o600))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "certificates:", err)
		os.Exit(1)
	}
}
