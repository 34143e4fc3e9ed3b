// Package broker is everything that speaks Kafka: addresses and credentials, the client with its producer, the consumer group, topic administration,
// reply reading, the embedded server and its process. Nothing else imports franz-go.
package broker

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/twmb/franz-go/plugin/kprom"
)

// DefaultPort is the port of an address that names none, and the one the embedded broker prefers.
const DefaultPort = 9092

// DefaultMaxMessageBytes is the largest record when nothing else is configured; Kafka's own limit is a little above it.
const DefaultMaxMessageBytes = 1_000_012

// OpenTimeout bounds how long Open looks for a usable broker. The embedded one gets more time: see patience.
const OpenTimeout = 5 * time.Second

// patience is how long a broker may take to answer at first. The embedded one is a process of this machine that is known to run: if it does not answer, then because it does
// not get to run.
func (c Config) patience() time.Duration {
	if c.Embedded {
		return findTimeout
	}
	return OpenTimeout
}

// The SASL mechanisms, as Config.SASL and the URL spell them.
const (
	saslPlain    = "plain"
	saslScram256 = "scram-sha-256"
	saslScram512 = "scram-sha-512"
)

// Config is how to reach a cluster. Parse makes it of a URL, Find of a data directory.
type Config struct {
	Seeds           []string // host:port
	TLS             *tls.Config
	SASL            string // "", plain, scram-sha-256, scram-sha-512
	User            string
	Password        string
	Embedded        bool                 // the embedded broker: Dial reads broker.json anew, created topics always get an explicit retention
	Room            func(n uint64) error // of the embedded broker: an error that wraps ErrFull if its disk has no room for n bytes of records; nil: not known
	Abort           bool                 // Close also drops what the system has not sent yet
	ClientID        string
	Dial            func(ctx context.Context, network, addr string) (net.Conn, error) // nil: net.Dialer
	Logger          *slog.Logger                                                      // nil: silent
	Metrics         prometheus.Registerer                                             // nil: none
	MaxMessageBytes int                                                               // key and value of a record; 0: DefaultMaxMessageBytes
	Compression     Compression                                                       // "": Auto
}

// String names the cluster for banners and logs: kafka+tls://user@host:9093,host2:9093. The password is never part of it.
func (c Config) String() string {
	scheme := "kafka://"
	if c.TLS != nil {
		scheme = "kafka+tls://"
	}
	user := ""
	if c.User != "" {
		user = c.User + "@"
	}
	return scheme + user + strings.Join(c.Seeds, ",")
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c Config) maxMessageBytes() int {
	if c.MaxMessageBytes <= 0 {
		return DefaultMaxMessageBytes
	}
	return c.MaxMessageBytes
}

// dial opens a connection, with the TLS handshake where TLS is configured.
func (c Config) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if tcp, ok := conn.(*net.TCPConn); ok && c.Abort {
		_ = tcp.SetLinger(0)
	}
	if c.TLS == nil {
		return conn, nil
	}
	cfg := c.TLS.Clone()
	if cfg.ServerName == "" {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			cfg.ServerName = host
		}
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, &handshakeError{err}
	}
	return secure, nil
}

// mechanism gives the SASL mechanism, nil without SASL.
func (c Config) mechanism() sasl.Mechanism {
	switch c.SASL {
	case saslPlain:
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism()
	case saslScram256:
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism()
	case saslScram512:
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism()
	}
	return nil
}

// options are those that all our clients share. role tells their metrics apart.
func (c Config) options(role string) []kgo.Opt {
	id := c.ClientID
	if id == "" {
		id = "faust"
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Seeds...),
		kgo.ClientID(id),
		kgo.SoftwareNameAndVersion("faust", "0"),
		kgo.Dialer(c.dial),
		kgo.WithLogger(clientLogger{c.logger()}),
		kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(time.Second),
	}
	if c.Embedded {
		// The broker ends when nobody is connected, so a client that is only quiet has to be seen. The refresh of metadata, every five
		// minutes, keeps its connection in use.
		opts = append(opts, kgo.ConnIdleTimeout(15*time.Minute))
	}
	if m := c.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	if c.Metrics != nil && role != "" {
		opts = append(opts, kgo.WithHooks(kprom.NewMetrics("faust_kafka",
			kprom.Registerer(&tolerant{Registerer: c.Metrics}),
			kprom.FetchAndProduceDetail(kprom.ByTopic, kprom.Records, kprom.Batches, kprom.CompressedBytes, kprom.UncompressedBytes, kprom.ConsistentNaming),
			kprom.WithStaticLabel(prometheus.Labels{"client": role}))))
	}
	return opts
}
