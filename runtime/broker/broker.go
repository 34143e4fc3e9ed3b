// Package broker is everything that speaks Kafka: addresses and credentials, the client with its producer, the consumer group, topic administration,
// reply reading, the embedded server and its process. Nothing else imports franz-go.
package broker

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"faust/runtime/topic"
)

// Config is how to reach a cluster. Parse makes it of a URL.
type Config struct {
	Seeds           []string
	TLS             *tls.Config
	SASL            string // "", plain, scram-sha-256, scram-sha-512
	User            string
	Password        string
	Embedded        bool // the embedded broker: Dial reads broker.json anew
	ClientID        string
	Dial            func(ctx context.Context, network, addr string) (net.Conn, error) // nil: net.Dialer
	Logger          *slog.Logger
	Metrics         prometheus.Registerer // nil: none
	MaxMessageBytes int
}

// Credentials are what settings say beside the URL: user, password, files of CA, certificate and key. The URL's own win where both speak
// only if these are empty.
type Credentials struct{ User, Password, CA, Cert, Key string }

// Parse reads kafka://h1:9092,h2:9092 or kafka+tls://user:password@host:9093?sasl=scram-sha-512&ca=/path. Errors name the part at fault and
// never show the password.
func Parse(url string, c Credentials) (Config, error) { panic("outline") }

// Class is why a broker cannot be used; each has its own message and hint.
type Class string

// The classes.
const (
	Name          Class = "name"    // the host name is not known
	Refused       Class = "refused" // nobody listens
	Unreachable   Class = "timeout" // no answer
	TLS           Class = "tls"
	SASL          Class = "sasl"
	Authorization Class = "authorization"
	MissingTopic  Class = "topic"
	Protocol      Class = "protocol" // something answers that is not Kafka
)

// Error is a classified error. Exit code 4.
type Error struct {
	Class Class
	Addr  string // or the topic
	Hint  string
	Err   error
}

func (e *Error) Error() string { panic("outline") }
func (e *Error) Unwrap() error { return e.Err }

// Client is a connection to a cluster: producing and administration. Safe for use by several goroutines.
type Client struct{}

// Open connects and asks for metadata once, so that a wrong address, TLS or SASL is told within seconds as an *Error.
func Open(ctx context.Context, cfg Config) (*Client, error) { panic("outline") }

// Close flushes nothing and releases the connections.
func (c *Client) Close() { panic("outline") }

// Produce queues r; it blocks while the buffer is full, until ctx ends. done is called once, on the producer's goroutine, with partition, offset and timestamp
// filled in. Partition topic.Any goes by key and the topic's partitioner (Ensure knows it), keyless records are spread.
func (c *Client) Produce(ctx context.Context, r *topic.Record, done func(r topic.Record, err error)) {
	panic("outline")
}

// Permanent tells whether a produce error is the record's own fault (too large, refused, unknown topic) and not the connection's.
func Permanent(err error) bool { panic("outline") }

// Flush waits until everything queued is stored or failed.
func (c *Client) Flush(ctx context.Context) error { panic("outline") }

// Difference is a declared property that the existing topic does not have.
type Difference struct {
	Topic, Property, Declared, Actual string
	Fatal                             bool   // partitions
	Fix                               string // a command that mends it
}

// Ensure creates the topics that are missing and compares the others with what is declared. Partitions 0 in a topic: defaults' value on creation.
func (c *Client) Ensure(ctx context.Context, topics []topic.Topic, defaults topic.Topic) ([]Difference, error) {
	panic("outline")
}

// Partitions gives the number of partitions of topics that exist.
func (c *Client) Partitions(ctx context.Context, topics ...string) (map[string]int32, error) {
	panic("outline")
}

// Delete deletes topics; missing ones are no error.
func (c *Client) Delete(ctx context.Context, topics ...string) error { panic("outline") }

// Leave makes a dead member leave the group, so that its partitions are free at once.
func (c *Client) Leave(ctx context.Context, group, member string) error { panic("outline") }

// Tail reads a topic from its end (replies): f gets every record until ctx ends. ready is called when records produced from then on will be seen.
func (c *Client) Tail(ctx context.Context, topic string, ready func(), f func(r topic.Record)) error {
	panic("outline")
}

// GroupConfig is a membership in a consumer group.
type GroupConfig struct {
	Group          string
	Topics         []string
	Reset          string // earliest, latest
	SessionTimeout time.Duration
	Heartbeat      time.Duration
	// Called in order, one at a time, on the group's goroutine. Revoked may wait (the rebalance waits with it, up to the rebalance time-out);
	// its partitions can still be committed inside. Lost partitions belong to somebody else already.
	Assigned func(ctx context.Context, ps map[topic.Partition]int64) // with the offset to start from
	Revoked  func(ctx context.Context, ps []topic.Partition)
	Lost     func(ctx context.Context, ps []topic.Partition)
}

// Group is a running membership. Cooperative sticky balancing, offsets committed by Commit only.
type Group struct{}

// Join starts a membership with connections of its own (cfg is the client's configuration).
func Join(ctx context.Context, cfg Config, g GroupConfig) (*Group, error) { panic("outline") }

// Batch is what one partition had, in order of offset. The receiver owns Records; their bytes are shared with the fetch buffer.
type Batch struct {
	Partition     topic.Partition
	Records       []topic.Record
	HighWatermark int64
}

// Poll waits for records of partitions that are not paused. Errors of single partitions are logged and retried inside; an error given
// back ends the worker (*Error).
func (g *Group) Poll(ctx context.Context) ([]Batch, error) { panic("outline") }

// Commit stores offsets (next to read) with an optional metadata text. An error that a rebalance explains wraps ErrRebalanced.
func (g *Group) Commit(ctx context.Context, offsets map[topic.Partition]int64, metadata string) error {
	panic("outline")
}

// Committed reads offset and metadata of a partition.
func (g *Group) Committed(ctx context.Context, p topic.Partition) (offset int64, metadata string, err error) {
	panic("outline")
}

// Pause and Resume stop and restart fetching of partitions. What was buffered of a paused partition is fetched again: use it seldom.
func (g *Group) Pause(ps ...topic.Partition)  { panic("outline") }
func (g *Group) Resume(ps ...topic.Partition) { panic("outline") }

// Member gives the member id and generation; "" before the first join.
func (g *Group) Member() (id string, generation int32) { panic("outline") }

// Leave leaves the group and closes; Revoked is called for what is still owned.
func (g *Group) Leave(ctx context.Context) error { panic("outline") }

// Abandon closes without leaving, as a crash would; for tests.
func (g *Group) Abandon() { panic("outline") }

// ServerConfig is an embedded broker.
type ServerConfig struct {
	Dir    string                                           // where it keeps its data; "" with Listen: in memory
	Port   int                                              // 0: 9092, or the next free one
	Strict bool                                             // Port must be free
	Listen func(network, addr string) (net.Listener, error) // nil: net.Listen on 127.0.0.1
	Idle   time.Duration                                    // it ends this long after its last client left; 0: never
	Logger *slog.Logger
}

// Server is the embedded broker in this process.
type Server struct{}

// OpenServer opens the data directory, takes its lock and listens. ErrRunning (wrapped, with address and pid) if another process has it.
func OpenServer(cfg ServerConfig) (*Server, error) { panic("outline") }

// Addr is host:port.
func (s *Server) Addr() string { panic("outline") }

// Run serves until ctx ends or it was idle long enough; retention and compaction run meanwhile.
func (s *Server) Run(ctx context.Context) error { panic("outline") }

// Find gives the configuration of the embedded broker of a data directory, starting it as a process of its own if none runs:
// start launches `faust broker` detached (the caller knows the program). It waits until the broker answers.
func Find(ctx context.Context, datadir string, start func(dir string) error) (Config, error) {
	panic("outline")
}
