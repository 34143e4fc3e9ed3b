package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Credentials are what settings say beside the URL: user, password, files of CA, certificate and key. Where both speak, these win.
type Credentials struct{ User, Password, CA, Cert, Key string }

// UnknownOption is the error for a query key or value of the broker URL that does not exist. Known are the ones that do, for suggestions.
type UnknownOption struct {
	What  string // "option", "scheme" or "sasl mechanism"
	Name  string
	Known []string
}

func (e *UnknownOption) Error() string {
	return fmt.Sprintf("broker URL: unknown %s %q: known are %s", e.What, e.Name, strings.Join(e.Known, ", "))
}

var errReserved = errors.New("broker URL: an '@', '/', '?', '#' or '%' in user or password has to be written %40, %2F, %3F, %23, %25")

// Parse reads kafka://h1:9092,h2:9092 or kafka+tls://user:password@host:9093?sasl=scram-sha-512&ca=/path. Errors name the part at fault and
// never show the password.
func Parse(text string, c Credentials) (Config, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Config{}, errors.New("broker URL: has to begin with kafka:// or kafka+tls://")
	}
	if scheme != "kafka" && scheme != "kafka+tls" {
		return Config{}, &UnknownOption{What: "scheme", Name: scheme, Known: []string{"kafka", "kafka+tls"}}
	}
	authority, query, _ := strings.Cut(rest, "?")
	authority, path, _ := strings.Cut(authority, "/")
	if strings.Contains(path, "@") || strings.ContainsAny(rest, "#") || !strings.Contains(authority, "@") && strings.Contains(query, "@") {
		return Config{}, errReserved
	}
	if path != "" {
		return Config{}, errors.New("broker URL: a path has no meaning here")
	}
	hosts := authority
	var cfg Config
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		hosts = authority[i+1:]
		var err error
		if cfg.User, cfg.Password, err = userinfo(authority[:i]); err != nil {
			return Config{}, err
		}
	}
	var err error
	if cfg.Seeds, err = seeds(hosts); err != nil {
		return Config{}, err
	}
	return cfg.credentials(scheme == "kafka+tls", query, c)
}

// credentials adds what the query and the settings say.
func (c Config) credentials(secure bool, query string, own Credentials) (Config, error) {
	options, err := parseQuery(query)
	if err != nil {
		return Config{}, err
	}
	pick := func(own, url string) string {
		if own != "" {
			return own
		}
		return url
	}
	c.User, c.Password = pick(own.User, c.User), pick(own.Password, c.Password)
	ca, cert, key := pick(own.CA, options["ca"]), pick(own.Cert, options["cert"]), pick(own.Key, options["key"])
	if secure {
		if c.TLS, err = tlsConfig(ca, cert, key); err != nil {
			return Config{}, err
		}
	} else if ca != "" || cert != "" || key != "" {
		return Config{}, errors.New("broker URL: ca, cert and key need kafka+tls://")
	}
	c.SASL = options["sasl"]
	switch {
	case c.SASL != "" && c.User == "":
		return Config{}, fmt.Errorf("broker URL: sasl=%s needs a user and a password", c.SASL)
	case c.SASL == "" && c.User != "":
		c.SASL = saslPlain
	case c.User == "" && c.Password != "":
		return Config{}, errors.New("broker URL: a password without a user")
	}
	return c, nil
}

func userinfo(text string) (user, password string, err error) {
	user, password, _ = strings.Cut(text, ":")
	// url's own errors quote what they could not read, which may be part of the password
	if user, err = url.PathUnescape(user); err != nil {
		return "", "", errReserved
	}
	if password, err = url.PathUnescape(password); err != nil {
		return "", "", errReserved
	}
	if user == "" {
		return "", "", errors.New("broker URL: the user before the '@' is empty")
	}
	return user, password, nil
}

func seeds(text string) ([]string, error) {
	var out []string
	for _, one := range strings.Split(text, ",") {
		one = strings.TrimSpace(one)
		if one == "" {
			return nil, errors.New("broker URL: a host is missing")
		}
		host, port := one, strconv.Itoa(DefaultPort)
		switch {
		case strings.HasPrefix(one, "[") && strings.HasSuffix(one, "]"):
			host = one[1 : len(one)-1]
		case strings.Count(one, ":") > 1 && !strings.HasPrefix(one, "["):
			return nil, fmt.Errorf("broker URL: an IPv6 address is written in brackets: [%s]:%d", one, DefaultPort)
		case strings.Contains(one, ":"):
			var err error
			if host, port, err = net.SplitHostPort(one); err != nil {
				return nil, errors.New("broker URL: a host has to look like host:9092 or [::1]:9092")
			}
			// the text is not shown: without an '@' it may be a password
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return nil, fmt.Errorf("broker URL: the port of host %q is not a number from 1 to 65535", host)
			}
		}
		if host == "" {
			return nil, errors.New("broker URL: a host is missing")
		}
		out = append(out, net.JoinHostPort(host, port))
	}
	return out, nil
}

func parseQuery(query string) (map[string]string, error) {
	known := []string{"ca", "cert", "key", "sasl"}
	out := map[string]string{}
	if query == "" {
		return out, nil
	}
	for _, pair := range strings.Split(query, "&") {
		k, v, _ := strings.Cut(pair, "=")
		if !slices.Contains(known, k) {
			return nil, &UnknownOption{What: "option", Name: k, Known: known}
		}
		v, err := url.QueryUnescape(v)
		if err != nil || v == "" {
			return nil, fmt.Errorf("broker URL: option %q has no readable value", k)
		}
		if _, twice := out[k]; twice {
			return nil, fmt.Errorf("broker URL: option %q is given twice", k)
		}
		out[k] = v
	}
	if m, ok := out["sasl"]; ok {
		mechanisms := []string{saslPlain, saslScram256, saslScram512}
		if out["sasl"] = strings.ToLower(m); !slices.Contains(mechanisms, out["sasl"]) {
			return nil, &UnknownOption{What: "sasl mechanism", Name: m, Known: mechanisms}
		}
	}
	return out, nil
}

func tlsConfig(ca, cert, key string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("broker ca: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("broker ca: %s has no certificate in PEM form", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, errors.New("broker cert and key: one needs the other")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("broker cert and key: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
