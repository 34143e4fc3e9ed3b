package kafka

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/broker"
	"faust/runtime/topic"
	"faust/tests/drive"
)

// pair is a cluster of two brokers: the first is the controller and coordinates all, the second comes and goes.
type pair struct {
	t            *testing.T
	dir          string
	first, other string    // addresses
	second       *exec.Cmd // nil: it was not started yet
}

// twoBrokers starts them.
func twoBrokers(t *testing.T) *pair {
	t.Helper()
	ports, err := freePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{t: t, dir: t.TempDir(), first: ports[0], other: ports[1]}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	cluster := "--cluster-id=" + base64.RawURLEncoding.EncodeToString(id)
	common := []string{
		"controller.quorum.bootstrap.servers=" + ports[2], "controller.listener.names=CONTROLLER", "inter.broker.listener.name=PLAINTEXT",
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=1",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1", "transaction.state.log.num.partitions=1",
		"group.initial.rebalance.delay.ms=0", "broker.session.timeout.ms=15000", "broker.heartbeat.interval.ms=500",
	}
	p.format("1", cluster, "--standalone", append(common, "process.roles=broker,controller", "node.id=1",
		fmt.Sprintf("listeners=PLAINTEXT://%s,CONTROLLER://%s", p.first, ports[2]), "advertised.listeners=PLAINTEXT://"+p.first))
	p.format("2", cluster, "--no-initial-controllers", append(common, "process.roles=broker", "node.id=2",
		"listeners=PLAINTEXT://"+p.other, "advertised.listeners=PLAINTEXT://"+p.other))
	p.launch("1")
	return p
}

func (p *pair) format(node, cluster, how string, lines []string) {
	p.t.Helper()
	lines = append(lines, "log.dirs="+filepath.Join(p.dir, node))
	write(p.t, p.properties(node), strings.Join(lines, "\n")+"\n")
	output(p.t, java("kafka.tools.StorageTool", "format", how, cluster, "-c", p.properties(node)))
}

func (p *pair) properties(node string) string { return filepath.Join(p.dir, node+".properties") }

// launch starts a broker, which ends with the test at the latest.
func (p *pair) launch(node string) *exec.Cmd {
	p.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, node+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	cmd := java("kafka.Kafka", p.properties(node))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

// until waits until so many brokers are there.
func (p *pair) until(admin *kadm.Client, brokers int) {
	p.t.Helper()
	drive.Until(p.t, fmt.Sprintf("%d brokers", brokers), func() (bool, string) {
		ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Second)
		defer cancel()
		list, err := admin.ListBrokers(ctx)
		return err == nil && len(list) == brokers, fmt.Sprint(list, err)
	})
}

// lose writes a transaction to a new topic of the second broker, and commits it while that is away.
func (p *pair) lose(kafka *kgo.Client, tx *broker.Transactor, m *member, name string) {
	p.t.Helper()
	admin := kadm.NewClient(kafka)
	if p.second == nil {
		p.second = p.launch("2")
	}
	p.until(admin, 2)
	p.create(kafka, name)
	must := func(err error) {
		p.t.Helper()
		if err != nil {
			p.t.Fatal(err)
		}
	}
	must(tx.Begin())
	for _, to := range []string{"kept", name} {
		tx.Produce(p.t.Context(), &topic.Record{Topic: to, Value: []byte("x")}, nil)
	}
	must(tx.Flush(p.t.Context()))
	must(tx.Offsets(p.t.Context(), m.Group, map[topic.Partition]broker.Position{{Topic: "in", ID: 0}: {Offset: 1}}))
	_ = p.second.Process.Signal(syscall.SIGTERM)
	_ = p.second.Wait()
	p.until(admin, 1)
	must(tx.Commit(p.t.Context()))
	p.second = p.launch("2")
	p.until(admin, 2)
}

// A transaction is committed while one of the brokers it wrote to is away: what it wrote there can be read once that is back, even if Kafka has lost the end of it,
// by the doing of who wrote it or, if he is gone, of others.
func TestLostEnd(t *testing.T) {
	real(t)
	t.Parallel()
	p := twoBrokers(t)
	kafka, err := kgo.NewClient(kgo.SeedBrokers(p.first), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer kafka.Close()
	p.until(kadm.NewClient(kafka), 1)
	c := open(t, "kafka://"+p.first, broker.Credentials{})
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "in", Partitions: 1}, {Name: "kept", Partitions: 1}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	m := join(t, p.first, "group", "in") // all that coordinates is with the first broker now
	defer m.leave(t)
	m.owns(t, 1)
	var ends broker.Ends
	transactor := func() *broker.Transactor {
		tx, err := c.OpenTransactor(t.Context(), "id", 10*time.Minute, &ends) // brokers take their time to end and to start
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	again := func(end func() (int, error)) {
		t.Helper()
		for lost := -1; lost != 0; {
			drive.Until(t, "it is seen what was lost", func() (bool, string) {
				lost, err = end()
				return err == nil, fmt.Sprint(err)
			})
			t.Logf("%d ends were lost", lost)
		}
	}
	tx := transactor()
	p.lose(kafka, tx, m, "one")
	again(func() (int, error) {
		defer func() { tx.Close(); tx = transactor() }()
		return tx.EndAgain(t.Context())
	})
	if got := reading(t, c, broker.Reading{Topic: "one"}); got != "0:x" {
		t.Errorf("read %q", got)
	}
	p.lose(kafka, tx, m, "two")
	tx.Close()
	again(func() (int, error) {
		return c.EndOthers(t.Context(), func(id string) bool { return id == "id" }, []string{"two"}, m.Group)
	})
	if got := reading(t, c, broker.Reading{Topic: "two"}); got != "0:x" {
		t.Errorf("what another one left: read %q", got)
	}
}

// create creates a topic that is with the second broker.
func (p *pair) create(kafka *kgo.Client, name string) {
	p.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	made := kmsg.NewCreateTopicsRequestTopic()
	made.Topic, made.NumPartitions, made.ReplicationFactor = name, -1, -1
	made.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{2}}}
	req.Topics = append(req.Topics, made)
	resp, err := req.RequestWith(p.t.Context(), kafka)
	if err != nil || len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 {
		p.t.Fatalf("create %s: %v, %+v", name, err, resp)
	}
}
