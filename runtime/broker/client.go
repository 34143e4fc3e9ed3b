package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Client is a connection to a cluster: producing and administration. Safe for use by several goroutines.
type Client struct {
	cfg      Config
	kafka    *kgo.Client
	admin    *kadm.Client
	topics   *topics
	sendings sendings
	clock    clock
	solo     solo
	whole    bool         // of a Transactor: what is sent is stored as a whole or not at all
	stored   atomic.Int64 // batches
}

// Open connects and asks for metadata once, so that a wrong address, TLS or SASL is told within seconds as an *Error.
func Open(ctx context.Context, cfg Config) (*Client, error) {
	if err := reach(ctx, cfg); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, topics: &topics{known: map[string]*topicInfo{}}}
	kafka, err := kgo.NewClient(append(cfg.options("producer"), c.producing()...)...)
	if err != nil {
		return nil, fmt.Errorf("open broker %s: %w", cfg, err)
	}
	c.kafka, c.admin = kafka, kadm.NewClient(kafka)
	if cfg.Embedded {
		if err := kafka.Ping(ctx); err != nil {
			kafka.Close()
			return nil, c.wrap(err, "open broker %s", cfg)
		}
	}
	return c, nil
}

// Ping asks the broker for something small.
func (c *Client) Ping(ctx context.Context) error {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	if _, err := req.RequestWith(ctx, c.kafka); err != nil {
		return c.wrap(err, "ask for metadata")
	}
	return nil
}

// Close flushes nothing and releases the connections; what is queued fails.
func (c *Client) Close() {
	c.solo.close()
	c.kafka.Close()
}

// reach proves that the cluster can be used. A client of its own does it, because one that is to live on has to take a closed connection
// for a passing fault, and here it is the sign of a missing login.
func reach(ctx context.Context, cfg Config) error {
	addr, err := probe(ctx, cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.patience())
	defer cancel()
	quiet := cfg
	quiet.Logger = nil
	quiet.Seeds = []string{addr}
	kafka, err := kgo.NewClient(append(quiet.options(""), kgo.RequestRetries(0))...)
	if err != nil {
		return fmt.Errorf("open broker %s: %w", cfg, err)
	}
	defer kafka.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	resp, err := req.RequestWith(ctx, kafka)
	if err != nil {
		if e := classify(addr, cfg.TLS != nil, err); e != nil {
			return e.login(cfg)
		}
		return fmt.Errorf("open broker %s: %w", addr, err)
	}
	return reachAdvertised(ctx, cfg, addr, resp)
}

// reachAdvertised makes sure that at least one broker can be reached under the name it gives itself, which all further traffic uses.
func reachAdvertised(ctx context.Context, cfg Config, seed string, resp *kmsg.MetadataResponse) error {
	if cfg.Embedded || len(resp.Brokers) == 0 {
		return nil
	}
	named := cfg
	named.Seeds = nil
	for _, b := range resp.Brokers {
		addr := net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
		if addr == seed {
			return nil
		}
		named.Seeds = append(named.Seeds, addr)
	}
	_, err := probe(ctx, named)
	var e *Error
	if errors.As(err, &e) {
		e.Hint = fmt.Sprintf("the broker at %s tells clients to use this address: mend its advertised.listeners", seed)
	}
	return err
}

// wrap adds what was done and the class, if the error is about reaching the broker or about rights.
func (c *Client) wrap(err error, format string, args ...any) error {
	what := fmt.Sprintf(format, args...)
	if errors.Is(err, kgo.ErrClientClosed) {
		return fmt.Errorf("%s: %w", what, ErrClosed)
	}
	subject := c.cfg.Seeds[0]
	if e := classify(subject, c.cfg.TLS != nil, err); e != nil {
		return fmt.Errorf("%s: %w", what, e)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// topicError makes an error that a broker gave for one topic.
func topicError(topic string, err error, detail string) error {
	e := &Error{Addr: "topic " + topic, Err: err}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		e.Class, e.Err, e.Hint = MissingTopic, nil, "declare it with app.topic, which creates it, or create it with Kafka's tools"
		return e
	case e.refusal():
		return e
	case detail != "":
		return fmt.Errorf("topic %s: %s: %w", topic, detail, err)
	}
	return fmt.Errorf("topic %s: %w", topic, err)
}

// Leave makes a dead member leave the group, so that its partitions are free at once. A member that is not known is no error.
func (c *Client) Leave(ctx context.Context, group, member string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = group, member
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = member
	m.Reason = kmsg.StringPtr("restarted after a crash")
	req.Members = append(req.Members, m)
	resp, err := req.RequestWith(ctx, c.kafka)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && len(resp.Members) == 1 {
		err = kerr.ErrorForCode(resp.Members[0].ErrorCode)
	}
	if err == nil || errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return c.wrap(err, "leave group %s", group)
}
