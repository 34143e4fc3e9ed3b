package kafka

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"faust/runtime/broker"
	"faust/runtime/topic"
	"faust/tests/drive"
)

// embedded runs the embedded broker for a test.
func embedded(t *testing.T) *broker.Server {
	t.Helper()
	s, err := broker.OpenServer(broker.ServerConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// patient makes tools wait that give up after a few seconds, which a busy machine may need.
var patient = map[string][]string{
	"ConsoleProducer":                     {"--request-timeout-ms", "60000"}, // what is not stored then is lost, and nobody is told
	"consumer.group.ConsumerGroupCommand": {"--timeout", "60000"},
}

// tool runs one of Kafka's command-line tools and gives what it printed.
func tool(t *testing.T, stdin, class string, args ...string) string {
	t.Helper()
	cmd := java("org.apache.kafka.tools."+class, args...)
	if class == "ConfigCommand" {
		cmd = java("kafka.admin.ConfigCommand", args...)
	}
	cmd.Args = append(cmd.Args, patient[class]...)
	cmd.Stdin = strings.NewReader(stdin)
	return output(t, cmd)
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	timer := time.AfterFunc(drive.Patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

func contains(t *testing.T, what, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%s: no %q in\n%s", what, want, text)
		}
	}
}

// Kafka's own tools take the embedded broker for Kafka.
func TestToolsOnTheEmbeddedBroker(t *testing.T) {
	real(t)
	t.Parallel()
	s := embedded(t)
	at := []string{"--bootstrap-server", s.Addr()}
	with := func(args ...string) []string { return append(append([]string{}, at...), args...) }

	tool(t, "", "TopicCommand", with("--create", "--topic", "made", "--partitions", "3", "--config", "retention.ms=3600000")...)
	contains(t, "list", tool(t, "", "TopicCommand", with("--list")...), "made")
	contains(t, "describe", tool(t, "", "TopicCommand", with("--describe", "--topic", "made")...), "PartitionCount: 3", "retention.ms=3600000", "Partition: 2", "Leader: 0")

	tool(t, "k1:v1\nk2:v2\nk3:v3\n", "ConsoleProducer", with("--topic", "made", "--reader-property", "parse.key=true", "--reader-property", "key.separator=:")...)
	out := tool(t, "", "consumer.ConsoleConsumer", with("--topic", "made", "--group", "console", "--from-beginning", "--max-messages", "3", "--formatter-property", "print.key=true")...)
	contains(t, "consume", out, "k1\tv1", "k2\tv2", "k3\tv3")

	contains(t, "groups", tool(t, "", "consumer.group.ConsumerGroupCommand", with("--list")...), "console")
	contains(t, "group", tool(t, "", "consumer.group.ConsumerGroupCommand", with("--describe", "--group", "console")...), "made", "console")
	tool(t, "", "consumer.group.ConsumerGroupCommand", with("--group", "console", "--topic", "made", "--reset-offsets", "--to-earliest", "--execute")...)
	tool(t, "", "consumer.group.ConsumerGroupCommand", with("--delete", "--group", "console")...)

	// a topic that does not exist is made by producing to it, as Kafka does by default
	tool(t, "first\n", "ConsoleProducer", with("--topic", "unmade")...)
	contains(t, "auto", tool(t, "", "consumer.ConsoleConsumer", with("--topic", "unmade", "--from-beginning", "--max-messages", "1")...), "first")

	tool(t, "", "TopicCommand", with("--alter", "--topic", "made", "--partitions", "5")...)
	tool(t, "", "TopicCommand", with("--delete", "--topic", "unmade")...)
	if out := tool(t, "", "TopicCommand", with("--list")...); strings.Contains(out, "unmade") {
		t.Errorf("still there: %s", out)
	}
	c := open(t, "kafka://"+s.Addr(), broker.Credentials{})
	n, err := c.Partitions(t.Context(), "made")
	if err != nil || n["made"] != 5 {
		t.Errorf("%v, %v", n, err)
	}
}

// The command that a Difference names mends it, on both brokers.
func TestFixOfADifference(t *testing.T) {
	real(t)
	t.Parallel()
	for name, addr := range map[string]string{"kafka": kafka.plain, "embedded": embedded(t).Addr()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, fix := open(t, "kafka://"+addr, broker.Credentials{}), fresh("fix")
			if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: fix, Partitions: 2, Retention: time.Hour}}, topic.Topic{}); err != nil {
				t.Fatal(err)
			}
			wanted := topic.Topic{Name: fix, Partitions: 4, Compact: true, Retention: time.Minute}
			ds, err := c.Ensure(t.Context(), []topic.Topic{wanted}, topic.Topic{})
			if err != nil || len(ds) != 3 {
				t.Fatalf("%v, %v", ds, err)
			}
			for _, d := range ds {
				_, command, _ := strings.Cut(d.Fix, "kafka-")
				words := strings.Fields(command)
				class := map[string]string{"topics.sh": "TopicCommand", "configs.sh": "ConfigCommand"}[words[0]]
				tool(t, "", class, words[1:]...)
			}
			if ds, err = c.Ensure(t.Context(), []topic.Topic{wanted}, topic.Topic{}); err != nil || len(ds) != 0 {
				t.Errorf("after the fixes: %v, %v", ds, err)
			}
		})
	}
}
