package broker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

// The configuration keys that Ensure writes and compares.
const (
	keyRetention = "retention.ms"
	keySize      = "retention.bytes"
	keyPolicy    = "cleanup.policy"
	keyLimit     = "max.message.bytes"

	keyTombstones = "delete.retention.ms" // is read only
)

// kafkaLimit is what the records of a topic may have, for which no limit is set.
const kafkaLimit = 1 << 20

// nameRule is Kafka's own, which the embedded broker does not check.
var nameRule = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// embeddedRetention is Kafka's own default. The embedded broker deletes old records only of topics that name a retention.
const embeddedRetention = 7 * 24 * time.Hour

// Difference is a declared property that the existing topic does not have.
type Difference struct {
	Topic, Property, Declared, Actual string
	Fatal                             bool   // partitions
	Fix                               string // what mends it: a command, or what to declare
}

// Ensure creates the topics that are missing and compares the others with what is declared. Partitions 0 in a topic: defaults' value on creation.
// It learns the topics' partitioners and size limits for Produce, and returns when all their partitions have a leader. Topics that
// other clients create at the same time are compared like existing ones.
func (c *Client) Ensure(ctx context.Context, declared []topic.Topic, defaults topic.Topic) ([]Difference, error) {
	if len(declared) == 0 {
		return nil, nil
	}
	names := make([]string, len(declared))
	for i, t := range declared {
		if !nameRule.MatchString(t.Name) || t.Name == "." || t.Name == ".." {
			return nil, fmt.Errorf("topic %q: a name has up to 249 letters, digits, '.', '_' and '-'", t.Name)
		}
		names[i] = t.Name
		c.topics.info(t.Name).crc32.Store(t.Partitioner == topic.CRC32)
	}
	found, err := existing(ctx, c.kafka, names)
	if err != nil {
		return nil, c.wrap(err, "look up topics")
	}
	var compare []topic.Topic
	for _, t := range declared {
		if _, ok := found[t.Name]; ok {
			compare = append(compare, t)
			continue
		}
		created, err := c.create(ctx, t, defaults)
		if err != nil {
			return nil, err
		}
		if !created {
			compare = append(compare, t)
		}
	}
	details, err := c.leaders(ctx, names)
	if err != nil {
		return nil, err
	}
	configs := c.configs(ctx, names)
	for name, values := range configs {
		if n, err := strconv.Atoi(values[keyLimit]); err == nil {
			c.topics.info(name).limit.Store(int32(min(n, 1<<30)))
		}
	}
	var out []Difference
	for _, t := range compare {
		out = append(out, c.differences(t, details[t.Name], configs[t.Name])...)
	}
	return out, nil
}

// metadata asks the broker for topics by name; kadm would answer from a cache that is seconds old.
func metadata(ctx context.Context, kafka *kgo.Client, names []string) (map[string]kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, n := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(n)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, kafka)
	if err != nil {
		return nil, err
	}
	out := make(map[string]kmsg.MetadataResponseTopic, len(resp.Topics))
	for _, t := range resp.Topics {
		if t.Topic != nil {
			out[*t.Topic] = t
		}
	}
	return out, nil
}

// existing gives the topics of names that exist.
func existing(ctx context.Context, kafka *kgo.Client, names []string) (map[string]kmsg.MetadataResponseTopic, error) {
	topics, err := metadata(ctx, kafka, names)
	if err != nil {
		return nil, err
	}
	for name, t := range topics {
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil, errors.Is(err, kerr.LeaderNotAvailable):
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			delete(topics, name)
		default:
			return nil, topicError(name, err, "")
		}
	}
	return topics, nil
}

// create creates one topic; false: somebody else did.
func (c *Client) create(ctx context.Context, t, defaults topic.Topic) (bool, error) {
	partitions, replication := t.Partitions, t.Replication
	if partitions == 0 {
		partitions = defaults.Partitions
	}
	if partitions == 0 {
		partitions = -1
	}
	if replication == 0 {
		replication = defaults.Replication
	}
	if replication == 0 {
		replication = -1
	}
	resp, err := c.admin.CreateTopics(ctx, partitions, replication, c.declaredConfigs(t, defaults), t.Name)
	if err != nil {
		return false, c.wrap(err, "create topic %s", t.Name)
	}
	r := resp[t.Name]
	switch {
	case r.Err == nil:
		return true, nil
	case errors.Is(r.Err, kerr.TopicAlreadyExists):
		return false, nil
	}
	return false, fmt.Errorf("create %w", topicError(t.Name, r.Err, r.ErrMessage))
}

// declaredConfigs are the configuration entries a topic is created with.
func (c *Client) declaredConfigs(t, defaults topic.Topic) map[string]*string {
	out := map[string]*string{}
	set := func(k, v string) { out[k] = &v }
	retention := t.Retention
	if retention == 0 {
		retention = defaults.Retention
	}
	if t.Compact || retention != 0 {
		set(keyPolicy, policy(t))
	}
	if retention < 0 {
		set(keySize, "-1") // for ever, whatever the broker's default
	}
	switch {
	case retention != 0:
		set(keyRetention, millis(retention))
	case c.cfg.Embedded:
		set(keyRetention, millis(embeddedRetention))
	}
	if n := c.cfg.maxMessageBytes() + batchRoom; n > kafkaLimit+batchRoom {
		set(keyLimit, strconv.Itoa(n))
	}
	return out
}

func policy(t topic.Topic) string {
	if !t.Compact {
		return "delete"
	}
	if t.Retention > 0 {
		return "compact,delete"
	}
	return "compact"
}

func millis(d time.Duration) string {
	if d < 0 {
		return "-1"
	}
	return strconv.FormatInt(d.Milliseconds(), 10)
}

// leaders waits until every partition of the topics has a leader, so that what follows finds them.
func (c *Client) leaders(ctx context.Context, names []string) (map[string]kmsg.MetadataResponseTopic, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		details, err := metadata(ctx, c.kafka, names)
		if err != nil {
			return nil, c.wrap(err, "look up topics")
		}
		waiting := slices.ContainsFunc(names, func(n string) bool { return !hasLeaders(details[n]) })
		if !waiting {
			return details, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the leaders of topics %s: %w", strings.Join(names, ", "), ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func hasLeaders(d kmsg.MetadataResponseTopic) bool {
	if d.ErrorCode != 0 || len(d.Partitions) == 0 {
		return false
	}
	for _, p := range d.Partitions {
		if p.Leader < 0 {
			return false
		}
	}
	return true
}

// configs reads the configuration of topics. Without the right to do so the comparison is left out, which the log says.
func (c *Client) configs(ctx context.Context, names []string) map[string]map[string]string {
	out := map[string]map[string]string{}
	all, err := c.admin.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		c.cfg.logger().Warn("the configuration of the topics cannot be read", "err", err)
		return out
	}
	for _, r := range all {
		if r.Err != nil {
			c.cfg.logger().Warn("the configuration of a topic cannot be read", "topic", r.Name, "err", r.Err)
			continue
		}
		values := map[string]string{}
		for _, e := range r.Configs {
			values[e.Key] = e.MaybeValue()
		}
		out[r.Name] = values
	}
	return out
}

// DefaultTombstones is Kafka's default of delete.retention.ms.
const DefaultTombstones = 24 * time.Hour

// Tombstones tells for how long a compacted topic keeps the tombstones of deleted keys: its delete.retention.ms. false: that cannot be read, which the log says.
func (c *Client) Tombstones(ctx context.Context, name string) (time.Duration, bool) {
	n, err := strconv.ParseInt(c.configs(ctx, []string{name})[name][keyTombstones], 10, 64)
	if err != nil {
		return 0, false
	}
	if n < 0 || n > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64, true
	}
	return time.Duration(n) * time.Millisecond, true
}

func (c *Client) differences(t topic.Topic, d kmsg.MetadataResponseTopic, actual map[string]string) []Difference {
	var out []Difference
	if n := int32(len(d.Partitions)); t.Partitions > 0 && n != t.Partitions {
		fix := fmt.Sprintf("declare partitions = %d", n)
		if t.Partitions > n {
			fix += fmt.Sprintf(", or, if keys may move to other partitions: kafka-topics.sh --bootstrap-server %s --alter --topic %s --partitions %d", c.cfg.Seeds[0], t.Name, t.Partitions)
		}
		out = append(out, Difference{Topic: t.Name, Property: "partitions", Declared: strconv.Itoa(int(t.Partitions)), Actual: strconv.Itoa(int(n)), Fatal: true, Fix: fix})
	}
	if actual == nil {
		return out
	}
	if t.Compact || t.Retention != 0 {
		want, have := policy(t), actual[keyPolicy]
		if !samePolicy(want, have) {
			out = append(out, c.difference(t.Name, keyPolicy, want, have))
		}
	}
	if t.Retention != 0 && actual[keyRetention] != millis(t.Retention) {
		out = append(out, c.difference(t.Name, keyRetention, millis(t.Retention), actual[keyRetention]))
	}
	if t.Retention < 0 && actual[keySize] != "-1" {
		out = append(out, c.difference(t.Name, keySize, "-1", actual[keySize]))
	}
	return out
}

func samePolicy(a, b string) bool {
	as, bs := strings.Split(strings.ReplaceAll(a, " ", ""), ","), strings.Split(strings.ReplaceAll(b, " ", ""), ",")
	slices.Sort(as)
	slices.Sort(bs)
	return slices.Equal(as, bs)
}

func (c *Client) difference(name, key, want, have string) Difference {
	value := want
	if strings.Contains(value, ",") {
		value = "[" + value + "]"
	}
	return Difference{Topic: name, Property: key, Declared: want, Actual: have,
		Fix: fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%s", c.cfg.Seeds[0], name, key, value)}
}

// Partitions gives the number of partitions of topics that exist; one that does not is an *Error of class MissingTopic.
func (c *Client) Partitions(ctx context.Context, names ...string) (map[string]int32, error) {
	out := map[string]int32{}
	if len(names) == 0 {
		return out, nil
	}
	details, err := existing(ctx, c.kafka, names)
	if err != nil {
		return nil, c.wrap(err, "look up topics")
	}
	for _, n := range names {
		d, ok := details[n]
		if !ok {
			return nil, topicError(n, kerr.UnknownTopicOrPartition, "")
		}
		out[n] = int32(len(d.Partitions))
	}
	return out, nil
}

// Delete deletes topics; missing ones are no error. Kafka deletes in the background: a topic of the same name should not be created at once.
func (c *Client) Delete(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	resp, err := c.admin.DeleteTopics(ctx, names...)
	if err != nil {
		return c.wrap(err, "delete topics")
	}
	for name, r := range resp {
		if r.Err != nil && !errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("delete %w", topicError(name, r.Err, r.ErrMessage))
		}
	}
	return nil
}
