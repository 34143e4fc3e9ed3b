package broker

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
	"faust/tests/drive"
)

// refused tries to open and demands an *Error of the class with a hint that says so, within the promised time.
func refused(t *testing.T, cfg Config, class Class, hint string) {
	t.Helper()
	var log syncBuffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var (
		e   *Error
		err error
	)
	for end := time.Now().Add(time.Minute); ; {
		began := time.Now()
		var c *Client
		if c, err = Open(context.Background(), cfg); err == nil {
			c.Close()
			t.Fatal("opened")
		}
		if took := time.Since(began); took > 2*OpenTimeout+30*time.Second {
			t.Errorf("took %s", took)
		}
		if errors.As(err, &e) && e.Class == class {
			break
		}
		if e == nil || e.Class != Unreachable || time.Now().After(end) { // on a busy machine an answer may take longer than Open waits for it
			t.Fatalf("class %v: %v", class, err)
		}
	}
	if !strings.Contains(e.Hint, hint) {
		t.Errorf("hint %q of %v", e.Hint, err)
	}
	if e.Addr == "" || !strings.Contains(err.Error(), e.Addr) {
		t.Errorf("no address: %v", err)
	}
	if cfg.Password != "" && (strings.Contains(err.Error(), cfg.Password) || strings.Contains(e.Hint, cfg.Password) || strings.Contains(log.String(), cfg.Password)) {
		t.Errorf("shows the password: %v %s", err, &log)
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func kafkaAt(t *testing.T, opts ...kfake.Opt) string {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()[0]
}

// accepting listens and does with each connection what serve says.
func accepting(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go accept(l, serve)
	return l.Addr().String()
}

func accept(l net.Listener, serve func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go serve(conn)
	}
}

func TestOpenNameUnknown(t *testing.T) {
	t.Parallel()
	refused(t, Config{Seeds: []string{"no-such-host.invalid:9092"}, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	}}, Name, "spelling")
}

func TestOpenRefused(t *testing.T) {
	t.Parallel()
	refused(t, Config{Seeds: []string{drive.Closed(t)}}, Refused, "running")
}

// within runs f in a bubble, with how something that listens there is reached: what takes time does so whatever the machine is busy with. Other addresses refuse.
func within(t *testing.T, f func(t *testing.T, at string, l net.Listener, cfg Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var virtual kfake.VirtualNetwork
		const at = "127.0.0.1:9092"
		l, err := virtual.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f(t, at, l, Config{Seeds: []string{at}, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if addr != at {
				return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
			}
			return virtual.DialContext(ctx, network, addr)
		}})
	})
}

func TestOpenSilent(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, _ string, l net.Listener, cfg Config) {
		go accept(l, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		refused(t, cfg, Unreachable, "never answers")
		cfg.TLS = &tls.Config{}
		refused(t, cfg, TLS, "plain text")
	})
}

func TestOpenWebServer(t *testing.T) {
	t.Parallel()
	within(t, func(t *testing.T, at string, l net.Listener, cfg Config) {
		web := &http.Server{Handler: http.NotFoundHandler()}
		go func() { _ = web.Serve(l) }()
		defer web.Close()
		refused(t, cfg, Protocol, "HTTP")
		cfg.Seeds = []string{"127.0.0.1:1", at} // it is told of the one that got farthest
		refused(t, cfg, Protocol, "HTTP")
	})
}

// A broker that is busy is no stranger, whether its answer comes late or stops half-way.
func TestProbeOfASlowBroker(t *testing.T) {
	t.Parallel()
	const head, rest = "\x00\x00\x00\x08", "\x00\x00\x00\x01\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		first string
		then  time.Duration
		last  string
		class Class
	}{
		"late":          {"", OpenTimeout * 17 / 20, head + rest, ""},
		"stops":         {head + rest[:2], OpenTimeout * 17 / 20, rest[2:], Unreachable},
		"only its size": {head, OpenTimeout * 17 / 20, rest, Unreachable},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, at string, l net.Listener, cfg Config) {
				over := make(chan struct{})
				go accept(l, func(conn net.Conn) {
					defer close(over)
					go func() { _, _ = io.Copy(io.Discard, conn) }()
					_, _ = io.WriteString(conn, c.first)
					<-time.After(c.then)
					_, _ = io.WriteString(conn, c.last)
				})
				addr, err := probe(t.Context(), cfg)
				if e := (*Error)(nil); c.class == "" && (err != nil || addr != at) || c.class != "" && (!errors.As(err, &e) || e.Class != c.class) {
					t.Errorf("%s, %v", addr, err)
				}
				<-over
			})
		})
	}
}

func TestOpenAnySeedWillDo(t *testing.T) {
	t.Parallel()
	mustOpen(t, Config{Seeds: []string{drive.Closed(t), kafkaAt(t)}}).Close()
}

func TestOpenNotKafka(t *testing.T) {
	t.Parallel()
	ssh := accepting(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	refused(t, Config{Seeds: []string{ssh}}, Protocol, "check host")
}

func TestOpenTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	server := &tls.Config{Certificates: []tls.Certificate{a.pair}}
	secure, plain := kafkaAt(t, kfake.TLS(server)), kafkaAt(t)
	mustOpen(t, Config{Seeds: []string{secure}, TLS: &tls.Config{RootCAs: a.pool}}).Close()
	refused(t, Config{Seeds: []string{secure}}, TLS, "kafka+tls://")
	refused(t, Config{Seeds: []string{plain}, TLS: &tls.Config{RootCAs: a.pool}}, TLS, "plain text")
	refused(t, Config{Seeds: []string{secure}, TLS: &tls.Config{}}, TLS, "ca=")
	refused(t, Config{Seeds: []string{secure}, TLS: &tls.Config{RootCAs: a.pool, ServerName: "elsewhere"}}, TLS, "other names")
	hangup := accepting(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)); conn.Close() })
	refused(t, Config{Seeds: []string{hangup}, TLS: &tls.Config{RootCAs: a.pool}}, TLS, "plain text")
	refused(t, Config{Seeds: []string{hangup}}, Unreachable, "starting or stopping") // a broker that ends, as often as not

	server = &tls.Config{Certificates: []tls.Certificate{a.pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool}
	mutual := kafkaAt(t, kfake.TLS(server))
	refused(t, Config{Seeds: []string{mutual}, TLS: &tls.Config{RootCAs: a.pool}}, TLS, "client certificate")
	cfg, err := Parse("kafka+tls://"+mutual, Credentials{CA: a.ca, Cert: a.cert, Key: a.key})
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, cfg).Close()
}

func TestOpenSASL(t *testing.T) {
	t.Parallel()
	addr := kafkaAt(t, kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "p", "s3cr3t"), kfake.Superuser("SCRAM-SHA-256", "a", "s3cr3t"), kfake.Superuser("SCRAM-SHA-512", "b", "s3cr3t"))
	for _, url := range []string{"kafka://p:s3cr3t@" + addr, "kafka://a:s3cr3t@" + addr + "?sasl=scram-sha-256", "kafka://b:s3cr3t@" + addr + "?sasl=scram-sha-512"} {
		cfg, err := Parse(url, Credentials{})
		if err != nil {
			t.Fatal(err)
		}
		mustOpen(t, cfg).Close()
	}
	refused(t, Config{Seeds: []string{addr}}, SASL, "user and a password")
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		refused(t, Config{Seeds: []string{addr}, SASL: mechanism, User: "p", Password: "wr0ngw0rd"}, SASL, "user")
		refused(t, Config{Seeds: []string{addr}, SASL: mechanism, User: "nobody", Password: "wr0ngw0rd"}, SASL, "user")
	}
	only := kafkaAt(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "b", "s3cr3t"))
	refused(t, Config{Seeds: []string{only}, SASL: "plain", User: "b", Password: "s3cr3t"}, SASL, "sasl=")
}

// A broker that names itself by an address nobody can reach is the most common fault of a Kafka in a container.
func TestOpenAdvertisedUnreachable(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	wrong := drive.Closed(t)
	_, port, _ := net.SplitHostPort(wrong)
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		b := kmsg.NewMetadataResponseBroker()
		b.Host = "127.0.0.1"
		for _, d := range port {
			b.Port = b.Port*10 + (d - '0')
		}
		resp.Brokers = append(resp.Brokers, b)
		return resp, nil, true
	})
	refused(t, Config{Seeds: cluster.ListenAddrs()}, Refused, "advertised.listeners")
}

func TestAuthorization(t *testing.T) {
	t.Parallel()
	addr := kafkaAt(t, kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "root", "r"), kfake.User("PLAIN", "me", "m"), kfake.SeedTopics(1, "there"))
	c := mustOpen(t, Config{Seeds: []string{addr}, SASL: "plain", User: "me", Password: "m"})
	t.Cleanup(c.Close)
	class := func(err error) Class {
		var e *Error
		if errors.As(err, &e) {
			return e.Class
		}
		return Class("none: " + err.Error())
	}
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "mine"}}, topic.Topic{Partitions: 1}); class(err) != Authorization {
		t.Errorf("create: %v", err)
	}
	if _, err := c.Partitions(t.Context(), "there"); class(err) != Authorization {
		t.Errorf("describe: %v", err)
	}
	if _, err := Join(t.Context(), c.cfg, GroupConfig{Group: "g", Topics: []string{"there"}}); class(err) != Authorization {
		t.Errorf("join: %v", err)
	}
	root := mustOpen(t, Config{Seeds: []string{addr}, SASL: "plain", User: "root", Password: "r"})
	t.Cleanup(root.Close)
	if _, err := root.Partitions(t.Context(), "nowhere"); class(err) != MissingTopic {
		t.Errorf("missing topic: %v", err)
	}
	if _, err := Join(t.Context(), root.cfg, GroupConfig{Group: "g", Topics: []string{"nowhere"}}); class(err) != MissingTopic {
		t.Errorf("join a missing topic: %v", err)
	}
}

// hangs is a connection to a broker that does not get to run before a certain time.
type hangs struct {
	net.Conn
	until time.Time
}

func (h *hangs) Read(b []byte) (int, error) {
	<-time.After(time.Until(h.until))
	return h.Conn.Read(b)
}

// The embedded broker is this machine's own: if that is so busy that the broker does not get to run, it is waited for. It is not a wrong address.
func TestOpenWaitsForTheEmbeddedBroker(t *testing.T) {
	t.Parallel()
	bubble(t, func(v *virtual) {
		cfg, dial, wakes := v.cfg, v.cfg.Dial, time.Now().Add(3*OpenTimeout)
		cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dial(ctx, network, addr)
			return &hangs{conn, wakes}, err
		}
		v.open(cfg).Close()
	})
}
