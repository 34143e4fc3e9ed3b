package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url  string
		own  Credentials
		want Config
		tls  bool
	}{
		{url: "kafka://localhost", want: Config{Seeds: []string{"localhost:9092"}}},
		{url: "kafka://localhost/", want: Config{Seeds: []string{"localhost:9092"}}},
		{url: "kafka://a:1,b:2,c", want: Config{Seeds: []string{"a:1", "b:2", "c:9092"}}},
		{url: "kafka://[::1]", want: Config{Seeds: []string{"[::1]:9092"}}},
		{url: "kafka://[::1]:9, [fe80::1]:7", want: Config{Seeds: []string{"[::1]:9", "[fe80::1]:7"}}},
		{url: "kafka://10.0.0.1:9092", want: Config{Seeds: []string{"10.0.0.1:9092"}}},
		{url: "kafka+tls://h:9093", want: Config{Seeds: []string{"h:9093"}}, tls: true},
		{url: "kafka://u:p@h", want: Config{Seeds: []string{"h:9092"}, User: "u", Password: "p", SASL: "plain"}},
		{url: "kafka://u:p%40%2f%3a%25@h?sasl=scram-sha-256", want: Config{Seeds: []string{"h:9092"}, User: "u", Password: "p@/:%", SASL: "scram-sha-256"}},
		{url: "kafka://u:a:b@h?sasl=SCRAM-SHA-512", want: Config{Seeds: []string{"h:9092"}, User: "u", Password: "a:b", SASL: "scram-sha-512"}},
		{url: "kafka://u:p@q@h,i", want: Config{Seeds: []string{"h:9092", "i:9092"}, User: "u", Password: "p@q", SASL: "plain"}},
		{url: "kafka://h?sasl=plain", own: Credentials{User: "x", Password: "y"}, want: Config{Seeds: []string{"h:9092"}, User: "x", Password: "y", SASL: "plain"}},
		{url: "kafka://u:p@h", own: Credentials{Password: "y"}, want: Config{Seeds: []string{"h:9092"}, User: "u", Password: "y", SASL: "plain"}},
	} {
		got, err := Parse(c.url, c.own)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if !slices.Equal(got.Seeds, c.want.Seeds) || got.User != c.want.User || got.Password != c.want.Password || got.SASL != c.want.SASL || (got.TLS != nil) != c.tls {
			t.Errorf("%s: got %+v", c.url, got)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	for _, c := range []struct{ url, want string }{
		{"localhost:9092", "begin with kafka://"},
		{"http://h", `unknown scheme "http": known are kafka, kafka+tls`},
		{"kafka://", "host is missing"},
		{"kafka://a,,b", "host is missing"},
		{"kafka://:9092", "host is missing"},
		{"kafka://h:port", "is not a number"},
		{"kafka://h:0", "is not a number"},
		{"kafka://h:70000", "is not a number"},
		{"kafka://::1", "in brackets"},
		{"kafka://h/topic", "path"},
		{"kafka://h?sals=plain", `unknown option "sals": known are ca, cert, key, sasl`},
		{"kafka://h?sasl=gssapi", `unknown sasl mechanism "gssapi": known are plain, scram-sha-256, scram-sha-512`},
		{"kafka://h?sasl=plain", "needs a user"},
		{"kafka://h?sasl", "no readable value"},
		{"kafka://u:p@h?sasl=plain&sasl=plain", "twice"},
		{"kafka://h?ca=/x", "kafka+tls"},
		{"kafka+tls://h?ca=/does/not/exist", "/does/not/exist"},
		{"kafka+tls://h?cert=/x", "one needs the other"},
		{"kafka://user:" + secret, "is not a number"},
		{"kafka://:" + secret + "@h", "is empty"},
		{"kafka://user:" + secret + "/x@h", "%2F"},
		{"kafka://user:" + secret + "?x@h", "%3F"},
		{"kafka://user:" + secret + "#x@h", "%23"},
		{"kafka://user:" + secret + "%zz@h", "%25"},
		{"kafka://user:%zz" + secret + "@h", "%25"},
		{"kafka://user:" + secret + "@h:x", "is not a number"},
		{"kafka://user:" + secret + "@h?foo=1", "unknown option"},
		{"kafka://user:" + secret + "@", "host is missing"},
		{"nafka://user:" + secret + "@h", "unknown scheme"},
		{"user:" + secret + "@h", "begin with"},
	} {
		_, err := Parse(c.url, Credentials{})
		if err == nil {
			t.Errorf("%s: accepted", c.url)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.url, err)
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "%zz") {
			t.Errorf("%s: the error shows the password: %v", c.url, err)
		}
	}
	var unknown *UnknownOption
	if _, err := Parse("kafka://h?sals=plain", Credentials{}); !errors.As(err, &unknown) || unknown.Name != "sals" || !slices.Contains(unknown.Known, "sasl") {
		t.Errorf("not an UnknownOption: %v", err)
	}
}

func TestConfigShowsNoPassword(t *testing.T) {
	t.Parallel()
	cfg, err := Parse("kafka+tls://me:s3cr3t@h:1,i:2?sasl=scram-sha-512", Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.String(); got != "kafka+tls://me@h:1,i:2" {
		t.Error(got)
	}
	for _, format := range []string{"%s", "%v", "%+v"} {
		if text := fmt.Sprintf(format, cfg); strings.Contains(text, "s3cr3t") {
			t.Errorf("%s: %s", format, text)
		}
	}
}

func TestParseFiles(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cfg, err := Parse(fmt.Sprintf("kafka+tls://h?ca=%s&cert=%s&key=%s", a.ca, a.cert, a.key), Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.TLS.RootCAs == nil || len(cfg.TLS.Certificates) != 1 {
		t.Errorf("%+v", cfg.TLS)
	}
	if _, err := Parse("kafka+tls://h", Credentials{CA: a.key}); err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("a key as ca: %v", err)
	}
}

// authority is a certificate authority with one certificate for localhost, as files.
type authority struct {
	ca, cert, key string
	pair          tls.Certificate
	pool          *x509.CertPool
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{ca: write("ca.pem", "CERTIFICATE", der), cert: write("cert.pem", "CERTIFICATE", der), key: write("key.pem", "EC PRIVATE KEY", raw)}
	if a.pair, err = tls.LoadX509KeyPair(a.cert, a.key); err != nil {
		t.Fatal(err)
	}
	a.pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(parsed)
	return a
}
