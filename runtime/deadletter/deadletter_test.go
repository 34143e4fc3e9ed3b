package deadletter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"faust/runtime/agent"
	"faust/runtime/broker"
	"faust/runtime/topic"
)

// world is a broker with the topic orders and two agents that read it.
type world struct {
	*testing.T
	cfg    broker.Config
	client *broker.Client
}

const epoch = 1_700_000_000_000

func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var net kfake.VirtualNetwork
		s, err := broker.OpenServer(broker.ServerConfig{Listen: net.Listen})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w := &world{T: t, cfg: s.Config()}
		w.cfg.Dial = net.DialContext
		w.client = w.open()
		defer w.client.Close()
		topics := []topic.Topic{{Name: "orders", Partitions: 2}}
		for _, d := range w.agents() {
			topics = append(topics, topic.Topic{Name: d.DeadLetter.Name, Partitions: 2})
		}
		if _, err := w.client.Ensure(t.Context(), topics, topic.Topic{}); err != nil {
			t.Fatal(err)
		}
		f(w)
	})
}

func (w *world) open() *broker.Client {
	w.Helper()
	c, err := broker.Open(w.Context(), w.cfg)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w *world) agents() map[string]*agent.Definition {
	out := map[string]*agent.Definition{}
	for _, name := range []string{"ledger", "mail"} {
		out[name] = &agent.Definition{Name: name, DeadLetter: topic.Topic{Name: "shop-" + name + "-dead-letter"}}
	}
	return out
}

// box makes a Box with a client of its own.
func (w *world) box(c *broker.Client) *Box {
	cfg := Config{Client: c, Group: "shop"}
	for _, name := range []string{"ledger", "mail", "inside", "unused"} {
		cfg.Agents = append(cfg.Agents, Agent{Name: name, Topic: "shop-" + name + "-dead-letter", Reads: []string{"orders"}, Channel: name == "inside"})
	}
	return New(cfg)
}

// send stores records, in order.
func (w *world) send(rs ...topic.Record) {
	w.Helper()
	for i := range rs {
		told := make(chan error, 1)
		w.client.Produce(w.Context(), &rs[i], func(_ topic.Record, err error) { told <- err })
		if err := <-told; err != nil {
			w.Fatal(err)
		}
	}
}

// fail has an agent fail on the messages that values name, each at the offset of its number in partition 1.
func (w *world) fail(name string, values ...string) {
	w.Helper()
	d := w.agents()[name]
	if d == nil {
		d = &agent.Definition{Name: name, DeadLetter: topic.Topic{Name: "shop-" + name + "-dead-letter"}}
	}
	for _, v := range values {
		var n int64
		fmt.Sscanf(v, "v%d", &n)
		in := topic.Record{Topic: "orders", Partition: 1, Offset: n, Key: []byte("k" + v), Value: []byte(v), Timestamp: epoch + n, Headers: []topic.Header{{Key: "mine", Value: []byte(v)}}}
		w.failed(d, in, 0)
	}
}

// failed has the agent's processor make the dead letter of a message.
func (w *world) failed(d *agent.Definition, in topic.Record, partition int32) {
	w.Helper()
	out := &sender{}
	d.Body = func(ctx context.Context, s *agent.Stream) error {
		if _, err := s.Next(ctx); err != nil {
			return err
		}
		return fmt.Errorf("bad %s", in.Value)
	}
	p := agent.NewProcessor(agent.ProcessorConfig{Agent: d, Partition: in.In(), Sender: out, Group: "shop", AppVersion: 1})
	done := make(chan error, 1)
	go func() { done <- p.Run(w.Context()) }()
	p.Deliver([]topic.Record{in})
	synctest.Wait()
	p.Drain()
	if err := <-done; err != nil && !errors.Is(err, io.EOF) {
		w.Fatal(err)
	}
	for _, r := range out.sent {
		r.Partition = partition
		w.send(r)
	}
}

type sender struct{ sent []topic.Record }

func (s *sender) Send(_ context.Context, r *topic.Record, _ *agent.Cause) error {
	s.sent = append(s.sent, *r)
	return nil
}

// open lists the open letters: agent/partition@offset value error, with the number of replays.
func (w *world) list(b *Box, agents ...string) string {
	w.Helper()
	var out []string
	for _, l := range w.letters(b, agents...) {
		text := fmt.Sprintf("%s %s", l.ID, l.Record.Value)
		if l.Replays > 0 {
			text += fmt.Sprintf(" (%d)", l.Replays)
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func (w *world) letters(b *Box, agents ...string) (all []*Letter) {
	w.Helper()
	err := b.Each(w.Context(), agents, func(l *Letter) error {
		c := *l
		c.Record = l.Record.Clone()
		all = append(all, &c)
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// orders reads the topic orders: partition:value headers.
func (w *world) orders() string {
	w.Helper()
	var out []string
	err := w.client.Read(w.Context(), broker.Reading{Topic: "orders"}, func(rs []topic.Record) error {
		for _, r := range rs {
			text := fmt.Sprintf("%d:%s=%s@%d", r.Partition, r.Key, r.Value, r.Timestamp-epoch)
			for _, h := range r.Headers {
				text += fmt.Sprintf(" %s=%s", strings.TrimPrefix(h.Key, "faust-"), h.Value)
			}
			out = append(out, text)
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	return strings.Join(out, ", ")
}

func (w *world) replay(b *Box, letters ...*Letter) (outcomes []Outcome) {
	w.Helper()
	if err := b.Replay(w.Context(), letters, "", func(o Outcome) { outcomes = append(outcomes, o) }); err != nil {
		w.Fatal(err)
	}
	return outcomes
}

func (w *world) want(what, got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("%s:\n got  %s\n want %s", what, got, want)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		w.want("nothing failed", w.list(b), "")
		w.fail("ledger", "v1", "v2", "v3", "v4")
		w.fail("mail", "v2")
		w.want("open", w.list(b), "ledger/0@0 v1, ledger/0@1 v2, ledger/0@2 v3, ledger/0@3 v4, mail/0@0 v2")
		w.want("of one agent", w.list(b, "mail"), "mail/0@0 v2")
		all := w.letters(b)
		got := w.replay(b, all[2])
		if len(got) != 1 || got[0].Err != nil || got[0].To.Topic != "orders" || got[0].To.Partition != 1 || got[0].ID != all[2].ID {
			w.Errorf("outcome %+v", got)
		}
		w.want("sent back", w.orders(), "1:kv3=v3@3 mine=v3 replay=ledger replay-app=shop replays=1")
		w.want("open", w.list(b), "ledger/0@0 v1, ledger/0@1 v2, ledger/0@3 v4, mail/0@0 v2")
		w.replay(b, all[0], all[4])
		w.want("open", w.list(w.box(w.open2())), "ledger/0@1 v2, ledger/0@3 v4")
		if m, err := w.client.Marks(w.Context(), "shop-dead-letters"); err != nil || m[topic.Partition{Topic: "shop-ledger-dead-letter"}] != (broker.Mark{Offset: 1, Text: "1 1"}) {
			w.Errorf("marks %+v, %v", m, err)
		}
		// It fails again.
		w.failed(w.agents()["ledger"], topic.Record{Topic: "orders", Partition: 1, Offset: 0, Value: []byte("v3"), Timestamp: epoch + 3, Headers: []topic.Header{
			{Key: agent.HeaderReplay, Value: []byte("ledger")}, {Key: agent.HeaderReplayApp, Value: []byte("shop")}, {Key: agent.HeaderReplays, Value: []byte("1")}}}, 0)
		w.want("open", w.list(b), "ledger/0@1 v2, ledger/0@3 v4, ledger/0@4 v3 (1)")
		open, err := b.Open(w.Context(), []ID{all[0].ID, all[1].ID, {"ledger", 0, 99}, {"ledger", 9, 0}, {"nobody", 0, 0}})
		if err != nil || fmt.Sprint(open) != "map[ledger/0@0:false ledger/0@1:true]" {
			w.Errorf("open %v, %v", open, err)
		}
	})
}

// open2 is a client that is closed with the world.
func (w *world) open2() *broker.Client {
	c := w.open()
	w.Cleanup(c.Close)
	return c
}

func TestFind(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		w.fail("ledger", "v1", "v2")
		l, err := b.Find(w.Context(), ID{"ledger", 0, 1})
		if err != nil || string(l.Record.Value) != "v2" || l.Error != "bad v2" {
			w.Fatalf("%+v, %v", l, err)
		}
		// Found by its place it is marked alone.
		w.replay(b, l)
		w.want("open", w.list(b), "ledger/0@0 v1")
		if l, err = b.Find(w.Context(), ID{"ledger", 0, 1}); err != nil || string(l.Record.Value) != "v2" {
			w.Errorf("one that is dealt with: %v", err)
		}
		for _, id := range []ID{{"ledger", 0, 2}, {"ledger", 1, 0}, {"ledger", 7, 0}, {"mail", 0, 0}, {"unused", 0, 0}, {"nobody", 0, 0}} {
			if l, err := b.Find(w.Context(), id); !errors.Is(err, ErrNone) {
				w.Errorf("%s: %+v, %v", id, l, err)
			}
		}
		w.send(topic.Record{Topic: "shop-ledger-dead-letter", Partition: 1, Value: []byte("no letter")})
		if _, err := b.Find(w.Context(), ID{"ledger", 1, 0}); !errors.Is(err, ErrNone) {
			w.Error(err)
		}
		w.want("open", w.list(b), "ledger/0@0 v1")
	})
}

// Letters of an agent that is gone, in a topic that has letters of another app as well, whose id begins with this one's.
func TestAgentGone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		cfg := w.box(w.client).cfg
		cfg.Agents = append(cfg.Agents, Agent{Name: "clerk", Reads: []string{"shop-clerk"}, Private: true}, Agent{Name: "eu-old", Topic: "shop-eu-old-dead-letter", Gone: true})
		b := New(cfg)
		if _, err := w.client.Ensure(w.Context(), []topic.Topic{{Name: "shop-eu-old-dead-letter", Partitions: 1}, {Name: "shop-clerk", Partitions: 1}}, topic.Topic{}); err != nil {
			w.Fatal(err)
		}
		letters := &agent.Definition{Name: "eu-old", DeadLetter: topic.Topic{Name: "shop-eu-old-dead-letter"}}
		w.failed(letters, topic.Record{Topic: "orders", Partition: 1, Value: []byte("v0"), Timestamp: epoch}, 0)
		foreign := &agent.Definition{Name: "old", DeadLetter: letters.DeadLetter}
		w.failed(foreign, topic.Record{Topic: "orders", Value: []byte("foreign")}, 0)
		w.failed(letters, topic.Record{Topic: "shop-eu-old", Partition: 3, Value: []byte("v2")}, 0)
		w.want("open", w.list(b), "eu-old/0@0 v0, eu-old/0@2 v2")
		if l, err := b.Find(w.Context(), ID{"eu-old", 0, 1}); !errors.Is(err, ErrNone) {
			w.Errorf("the other app's letter: %+v, %v", l, err)
		}
		all := w.letters(b)
		for _, c := range []struct {
			n        int
			to, want string
		}{
			{0, "", "the app has no agent 'eu-old' any more: nobody would take the message"},
			{0, "nobody", "the app has no agent 'nobody' any more: nobody would take the message"},
			{0, "clerk", "agent 'clerk' does not read topic orders, where the message came from: nobody would take it"},
			{1, "ledger", "agent 'ledger' does not read topic shop-eu-old, where the message came from: nobody would take it"},
			{0, "inside", ErrChannel.Error()},
		} {
			if err := b.Replay(w.Context(), all[c.n:c.n+1], c.to, func(o Outcome) { w.want("to "+c.to, fmt.Sprint(o.Err), c.want) }); err != nil {
				w.Fatal(err)
			}
		}
		w.want("orders", w.orders(), "")
		for i, to := range []string{"ledger", "clerk"} {
			err := b.Replay(w.Context(), all[i:i+1], to, func(o Outcome) {
				if o.Err != nil {
					w.Errorf("to %s: %v", to, o.Err)
				}
			})
			if err != nil {
				w.Fatal(err)
			}
		}
		w.want("orders", w.orders(), "1:=v0@0 replay=ledger replay-app=shop replays=1")
		if n, err := w.client.Ends(w.Context(), topic.Partition{Topic: "shop-clerk"}); err != nil || n[topic.Partition{Topic: "shop-clerk"}] != 1 {
			w.Errorf("of its own topic: %v, %v", n, err)
		}
		w.want("open", w.list(b), "")
		if err := b.Drop(w.Context(), all); err != nil {
			w.Fatal(err)
		}
		if s, err := w.client.Spans(w.Context(), "shop-eu-old-dead-letter"); err != nil || s[0].First != 1 {
			w.Errorf("the other app's letter is deleted as well: %+v, %v", s, err)
		}
	})
}

func TestCannotBeSentBack(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		if _, err := w.client.Ensure(w.Context(), []topic.Topic{{Name: "shop-inside-dead-letter", Partitions: 1}}, topic.Topic{}); err != nil {
			w.Fatal(err)
		}
		w.fail("inside", "v1")
		w.send(topic.Record{Topic: "orders", Partition: 0, Key: []byte("k"), Value: []byte("whole"), Timestamp: epoch, Headers: []topic.Header{{Key: "mine"}}})
		short := func(partition, offset int64) topic.Record {
			return topic.Record{Topic: "shop-ledger-dead-letter", Partition: 0, Headers: []topic.Header{{Key: agent.HeaderError, Value: []byte("x")}, {Key: agent.HeaderAgent, Value: []byte("ledger")},
				{Key: agent.HeaderTopic, Value: []byte("orders")}, {Key: agent.HeaderPartition, Value: fmt.Append(nil, partition)}, {Key: agent.HeaderOffset, Value: fmt.Append(nil, offset)}}}
		}
		w.send(short(0, 0), short(0, 5), short(9, 0))
		all := w.letters(b)
		if !all[0].Short {
			w.Fatalf("%+v", all[0])
		}
		if r, err := b.Message(w.Context(), all[0]); err != nil || string(r.Value) != "whole" {
			w.Errorf("%+v, %v", r, err)
		}
		if _, err := b.Message(w.Context(), all[1]); !errors.Is(err, ErrGone) {
			w.Error(err)
		}
		var got []string
		for _, o := range w.replay(b, all...) {
			got = append(got, fmt.Sprintf("%s %v", o.ID, o.Err))
		}
		w.want("outcomes", strings.Join(got, ", "), fmt.Sprintf("ledger/0@0 <nil>, ledger/0@1 %v, ledger/0@2 %v, inside/0@0 %v", ErrGone, ErrGone, ErrChannel))
		w.want("orders", w.orders(), "0:k=whole@0 mine=, 0:k=whole@0 mine= replay=ledger replay-app=shop replays=1")
		w.want("open", w.list(b), "ledger/0@1 , ledger/0@2 , inside/0@0 v1")
	})
}

func TestDrop(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		w.fail("ledger", "v1", "v2", "v3", "v4")
		all := w.letters(b)
		drop := func(ls ...*Letter) {
			w.Helper()
			if err := b.Drop(w.Context(), ls); err != nil {
				w.Fatal(err)
			}
		}
		first := func() int64 {
			w.Helper()
			s, err := w.client.Spans(w.Context(), "shop-ledger-dead-letter")
			if err != nil {
				w.Fatal(err)
			}
			return s[0].First
		}
		drop(all[1])
		w.want("open", w.list(b), "ledger/0@0 v1, ledger/0@2 v3, ledger/0@3 v4")
		if first() != 0 {
			w.Errorf("deleted up to %d while the first is open", first())
		}
		drop(all[0])
		w.want("open", w.list(b), "ledger/0@2 v3, ledger/0@3 v4")
		if first() != 2 {
			w.Errorf("deleted up to %d, not 2", first())
		}
		if _, err := b.Find(w.Context(), all[0].ID); !errors.Is(err, ErrNone) {
			w.Error(err)
		}
		drop(all[2], all[3])
		w.want("open", w.list(b), "")
		drop(all[3])
		w.fail("ledger", "v5")
		w.want("open", w.list(b), "ledger/0@4 v5")
		w.want("orders", w.orders(), "")
	})
}

// A topic that is deleted and made anew starts with no marks.
func TestMarksOfATopicMadeAnew(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		w.fail("ledger", "v1", "v2", "v3")
		w.replay(b, w.letters(b)...)
		w.want("open", w.list(b), "")
		if err := w.client.Delete(w.Context(), "shop-ledger-dead-letter"); err != nil {
			w.Fatal(err)
		}
		w.want("without the topic", w.list(b), "")
		fresh := w.open2()
		if _, err := fresh.Ensure(w.Context(), []topic.Topic{{Name: "shop-ledger-dead-letter", Partitions: 2}}, topic.Topic{}); err != nil {
			w.Fatal(err)
		}
		w.client = fresh
		w.fail("ledger", "v4")
		w.want("open", w.list(w.box(fresh)), "ledger/0@0 v4")
	})
}

// What was sent back and could not be marked stays open: it may be sent again, and is not lost.
func TestReplayThatCannotBeMarked(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		w.fail("ledger", "v1")
		member, err := kgo.NewClient(kgo.SeedBrokers(w.cfg.Seeds...), kgo.Dialer(w.cfg.Dial), kgo.ConsumerGroup("shop-dead-letters"), kgo.ConsumeTopics("orders"))
		if err != nil {
			w.Fatal(err)
		}
		joined, cancel := context.WithTimeout(w.Context(), time.Minute)
		member.PollFetches(joined) // there is nothing, but it is a member now
		cancel()
		var told []Outcome
		err = b.Replay(w.Context(), w.letters(b), "", func(o Outcome) { told = append(told, o) })
		if err == nil || !strings.Contains(err.Error(), "cannot be marked") || len(told) != 1 || told[0].Err != nil {
			w.Errorf("%v, %+v", err, told)
		}
		w.want("open", w.list(b), "ledger/0@0 v1")
		member.Close()
		synctest.Wait()
		w.replay(b, w.letters(b)...)
		w.want("open", w.list(b), "")
		if n := strings.Count(w.orders(), "replay=ledger"); n != 2 {
			w.Errorf("sent back %d times", n)
		}
	})
}

// Several people deal with dead letters at the same time: no mark is lost.
func TestConcurrentMarks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var values []string
		const n = 60
		for i := range n {
			values = append(values, fmt.Sprintf("v%d", i))
		}
		w.fail("ledger", values...)
		const people = 4
		var all sync.WaitGroup
		errs := make([]error, people)
		for i := range people {
			b := w.box(w.open2())
			letters := w.letters(b)
			all.Go(func() {
				for j := i; j < n && errs[i] == nil; j += people {
					errs[i] = b.Replay(w.Context(), letters[j:j+1], "", func(o Outcome) {
						if o.Err != nil {
							errs[i] = o.Err
						}
					})
				}
			})
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			w.Fatal(err)
		}
		w.want("open", w.list(w.box(w.client)), "")
		if got := strings.Count(w.orders(), "replay=ledger"); got != n {
			w.Errorf("%d messages were sent back, not %d", got, n)
		}
	})
}

// What could not be remembered is refused before anything is sent.
func TestTooManyMarks(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		name := "shop-ledger-dead-letter"
		full := marks{}
		last := int64(0)
		for next := full; ; last += 2 {
			if next = next.add(span{last + 1, last + 2}); !fits(next) {
				break
			}
			full = next
		}
		for range last {
			w.client.Produce(w.Context(), &topic.Record{Topic: name, Partition: 0, Value: []byte("x")}, nil)
		}
		if err := w.client.Flush(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.fail("ledger", "v1", "v2", "v3")
		stored, _ := full.mark()
		p := topic.Partition{Topic: name}
		if err := w.client.SetMarks(w.Context(), "shop-dead-letters", map[topic.Partition]broker.Mark{p: stored}); err != nil {
			w.Fatal(err)
		}
		l, err := b.Find(w.Context(), ID{"ledger", 0, last + 2})
		if err != nil || string(l.Record.Value) != "v3" {
			w.Fatalf("%+v, %v", l, err)
		}
		var too *Full
		err = b.Replay(w.Context(), []*Letter{l}, "", func(Outcome) {})
		if !errors.As(err, &too) || too.Partition != p || b.Drop(w.Context(), []*Letter{l}) == nil {
			w.Errorf("%v", err)
		}
		w.want("sent back", w.orders(), "")
		// With the oldest first there is room again.
		all := w.letters(b)
		w.replay(b, all[0])
		w.replay(b, l)
		w.want("open", w.list(b), fmt.Sprintf("ledger/0@%d v2", last+1))
	})
}

func fits(m marks) bool {
	_, ok := m.mark()
	return ok
}

func TestManyLetters(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		d := w.agents()["ledger"]
		const n = 450
		for i := range n {
			w.failed(d, topic.Record{Topic: "orders", Partition: 1, Offset: int64(i), Value: fmt.Append(nil, i), Timestamp: epoch + int64(i)}, int32(i%2))
		}
		var batch []*Letter
		var order []int64
		told := 0
		err := b.Each(w.Context(), nil, func(l *Letter) error {
			order = append(order, l.Record.Offset)
			if l.Record.Offset%10 == 9 {
				return nil // one of ten stays
			}
			c := *l
			c.Record = l.Record.Clone()
			batch = append(batch, &c)
			return nil
		})
		if err != nil || !slices.IsSorted(order) || len(order) != n {
			w.Fatalf("%d letters, sorted %v, %v", len(order), slices.IsSorted(order), err)
		}
		began := time.Now()
		if err := b.Replay(w.Context(), batch, "", func(o Outcome) {
			if o.Err == nil {
				told++
			}
		}); err != nil || told != n/10*9 {
			w.Errorf("%d sent back, %v", told, err)
		}
		if left := len(w.letters(b)); left != n/10 {
			w.Errorf("%d are open after %s", left, time.Since(began))
		}
	})
}

// A dead letter of a window that closed is no message that could be sent back: it would delete the key for whoever reads its topic.
func TestReplayOfAWindow(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		b := w.box(w.client)
		w.failed(&agent.Definition{Name: "ledger", DeadLetter: topic.Topic{Name: "shop-ledger-dead-letter"}}, topic.Record{
			Topic: "orders", Partition: 1, Offset: -1, Key: []byte("k"), Timestamp: epoch, Headers: []topic.Header{{Key: agent.HeaderWindow, Value: []byte("counts 2026-01-01T12:00:00Z/2026-01-01T12:01:00Z")}},
		}, 0)
		for _, o := range w.replay(b, w.letters(b)...) {
			if !errors.Is(o.Err, ErrWindow) {
				w.Errorf("%v: %v", o.ID, o.Err)
			}
		}
		w.want("orders", w.orders(), "")
	})
}
