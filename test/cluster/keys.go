package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// keys holds the paths of the files that writeKeys has written.
type keys struct {
	dir, ca, otherCA, serverCert, serverKey, adminCert, adminKey, clientCert, clientKey, serviceAccounts, issuer string
	issuerKey                                                                                                    *rsa.PrivateKey
}

func writeKeys(dir string) (k keys, err error) {
	at := func(name string) string { return filepath.Join(dir, name) }
	k = keys{dir: dir, ca: at("ca.crt"), otherCA: at("other-ca.crt"), serverCert: at("server.crt"), serverKey: at("server.key"),
		adminCert: at("admin.crt"), adminKey: at("admin.key"),
		clientCert: at("client.crt"), clientKey: at("client.key"), serviceAccounts: at("service-accounts.key"), issuer: at("issuer.key")}

	ca, caKey, err := certificate(k.ca, "", authority("kubepass test CA"), nil, nil)
	if err != nil {
		return k, err
	}
	if _, _, err = certificate(k.otherCA, "", authority("somebody else's CA"), nil, nil); err != nil {
		return k, err
	}
	server := leaf(pkix.Name{CommonName: "kube-apiserver"}, x509.ExtKeyUsageServerAuth)
	server.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	server.DNSNames = []string{"localhost", "kubernetes.test"}
	if _, _, err = certificate(k.serverCert, k.serverKey, server, ca, caKey); err != nil {
		return k, err
	}
	admin := leaf(pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}, x509.ExtKeyUsageClientAuth)
	if _, _, err = certificate(k.adminCert, k.adminKey, admin, ca, caKey); err != nil {
		return k, err
	}
	client := leaf(pkix.Name{CommonName: "ci:client", Organization: []string{"ci:clients"}}, x509.ExtKeyUsageClientAuth)
	if _, _, err = certificate(k.clientCert, k.clientKey, client, ca, caKey); err != nil {
		return k, err
	}
	if _, err = rsaKey(k.serviceAccounts); err != nil {
		return k, err
	}
	k.issuerKey, err = rsaKey(k.issuer)
	return k, err
}

func template(name pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: name, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), BasicConstraintsValid: true}
}

func authority(name string) *x509.Certificate {
	t := template(pkix.Name{CommonName: name})
	t.IsCA, t.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	return t
}

func leaf(name pkix.Name, use x509.ExtKeyUsage) *x509.Certificate {
	t := template(name)
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{use}
	return t
}

// certificate signs t with the key of the parent, or with its own key if parent is nil.
func certificate(certPath, keyPath string, t, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, parentKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, err
	}
	if err := writePEM(certPath, "CERTIFICATE", der); err != nil {
		return nil, nil, err
	}
	if keyPath != "" {
		pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, nil, err
		}
		if err := writePEM(keyPath, "PRIVATE KEY", pkcs8); err != nil {
			return nil, nil, err
		}
	}
	cert, err := x509.ParseCertificate(der)
	return cert, key, err
}

func rsaKey(path string) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(path, "PRIVATE KEY", pkcs8)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
