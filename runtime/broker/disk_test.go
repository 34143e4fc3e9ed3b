package broker

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"

	"faust/runtime/topic"
)

// Records wait while there is no room for them, and are stored once there is.
func TestFullDiskRefusesRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			net kfake.VirtualNetwork
			log syncBuffer
			gap atomic.Uint64 // free space
		)
		gap.Store(1 << 30)
		s, err := OpenServer(ServerConfig{Listen: net.Listen, Free: func() (uint64, error) { return gap.Load(), nil }, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		cfg := s.Config()
		cfg.Dial = net.DialContext
		c := mustOpen(t, cfg)
		if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 1}}, topic.Topic{}); err != nil {
			t.Fatal(err)
		}
		if r := send(t.Context(), c, numbered("a", 0, 0, 1)...); r[0].err != nil {
			t.Fatal(r[0].err)
		}
		gap.Store(reserve + 10) // a request has more
		fate := make(chan sent, 1)
		c.Produce(t.Context(), &topic.Record{Topic: "a", Partition: 0, Value: []byte("1")}, func(r topic.Record, err error) { fate <- sent{r, err} })
		select {
		case r := <-fate:
			t.Fatalf("offset %d, %v", r.Offset, r.err)
		case <-time.After(time.Minute):
		}
		if err := cfg.Room(1000); !errors.Is(err, ErrFull) {
			t.Errorf("the room: %v", err)
		}
		if err := cfg.Room(0); err != nil {
			t.Errorf("the room for nothing: %v", err)
		}
		gap.Store(1 << 30)
		if r := <-fate; r.err != nil || r.Offset != 1 {
			t.Errorf("offset %d, %v", r.Offset, r.err)
		}
		<-time.After(2 * lookEvery)
		for _, line := range []string{"records are refused", "there is room again"} {
			if n := strings.Count(log.String(), line); n != 1 {
				t.Errorf("%q is said %d times:\n%s", line, n, &log)
			}
		}
		c.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// obstruct puts a file where the broker wants a folder, until the function it gives is called.
func obstruct(t *testing.T, path string) (clear func()) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// A broker that cannot write ends and says why; its client starts it again, and what it had acknowledged is there.
func TestServerEndsWhenItCannotWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var last atomic.Pointer[process]
	cfg, err := Find(t.Context(), dir, func(dir string) (<-chan struct{}, error) {
		p := startChild(t, dir)
		last.Store(p)
		return p.ended, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := mustOpen(t, cfg)
	defer c.Close()
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 2}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	if r := send(t.Context(), c, numbered("a", 0, 0, 1)...); r[0].err != nil {
		t.Fatal(r[0].err)
	}
	path := filepath.Join(dir, dataDir, partitionDir, "a-1")
	clear := obstruct(t, path)
	first := last.Load()
	fate := make(chan sent, 1)
	c.Produce(t.Context(), &topic.Record{Topic: "a", Partition: 1, Value: []byte("1")}, func(r topic.Record, err error) { fate <- sent{r, err} })
	select {
	case <-first.ended:
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	log, err := os.ReadFile(LogFile(dir))
	if err != nil || !strings.Contains(string(log), "embedded broker of "+dir) || !strings.Contains(string(log), path+": not a directory") {
		t.Errorf("it ended with %s, %v", log, err)
	}
	select {
	case r := <-fate:
		t.Fatalf("offset %d, %v", r.Offset, r.err)
	default:
	}
	clear()
	if r := <-fate; r.err != nil || r.Offset != 0 {
		t.Errorf("offset %d, %v", r.Offset, r.err)
	}
	for _, p := range []int32{0, 1} {
		if r := send(t.Context(), c, numbered("a", p, 0, 1)...); r[0].err != nil || r[0].Offset != 1 {
			t.Errorf("partition %d: offset %d, %v", p, r[0].Offset, r[0].err)
		}
	}
}

// Offsets committed after a start on a log with half an entry at its end survive the next death.
func TestServerMendsItsLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	commit := func(c *Client, at int64) {
		t.Helper()
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: "a", Partition: 0, At: at})
		if _, err := c.admin.CommitOffsets(t.Context(), "g", offsets); err != nil {
			t.Fatal(err)
		}
	}
	s, stop := serve(t, ServerConfig{Dir: dir})
	c := mustOpen(t, s.Config())
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 1}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	commit(c, 1)
	c.Close()
	stop()
	path := filepath.Join(dir, dataDir, "groups.log")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, text[:len(text)/2]...), 0o644); err != nil {
		t.Fatal(err)
	}
	p, addr := ready(t, dir)
	c = mustOpen(t, Config{Seeds: []string{addr}, Embedded: true})
	commit(c, 2)
	p.kill(t)
	c.Close()
	s, stop = serve(t, ServerConfig{Dir: dir})
	defer stop()
	c = mustOpen(t, s.Config())
	defer c.Close()
	offsets, err := c.admin.FetchOffsets(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := offsets.Lookup("a", 0); !ok || o.At != 2 {
		t.Errorf("the committed offset is %d (%v)", o.At, ok)
	}
}

// A compaction that cannot write ends the broker, and the records are there again afterwards; the next one succeeds.
func TestCompactionLosesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := OpenServer(ServerConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := mustOpen(t, s.Config())
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 1, Compact: true}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r := numbered("a", 0, i, 1)[0]
		r.Key = []byte("k")
		if r := send(t.Context(), c, r); r[0].err != nil {
			t.Fatal(r[0].err)
		}
	}
	data := filepath.Join(dir, dataDir)
	blocked := filepath.Join(data, partitionDir, "a-0", "1.dat")
	if err := os.Mkdir(blocked, 0o755); err != nil {
		t.Fatal(err)
	}
	s.clean()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.Run(ctx); err == nil || !strings.Contains(err.Error(), blocked+": is a directory") {
		t.Errorf("it ended with %v", err)
	}
	asking, enough := context.WithTimeout(t.Context(), time.Minute)
	defer enough()
	if _, err := c.Partitions(asking, "a"); !errors.Is(err, ErrEnded) {
		t.Errorf("a client is told %v", err)
	}
	c.Close()
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	s, stop := serve(t, ServerConfig{Dir: dir})
	defer stop()
	c = mustOpen(t, s.Config())
	defer c.Close()
	if got := strings.Join(readAll(t, c, s.Config(), "a", 3), " "); got != "0 1 2" {
		t.Errorf("the topic has %s", got)
	}
	s.clean()
	if first := s.cluster.PartitionInfo("a", 0).LogStartOffset; first != 1 { // the newest batch is left alone
		t.Errorf("compacted, it begins at %d", first)
	}
	for _, name := range []string{keptDir, unkeptDir} {
		if _, err := os.Stat(filepath.Join(data, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	if r := send(t.Context(), c, numbered("a", 0, 3, 1)...); r[0].err != nil || r[0].Offset != 3 {
		t.Errorf("offset %d, %v", r[0].Offset, r[0].err)
	}
}

// A partition whose records are all too old goes on counting where it was, after an end in order and after a death.
func TestOffsetsOutliveTheirRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, stop := serve(t, ServerConfig{Dir: dir})
	c := mustOpen(t, s.Config())
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 2, Retention: time.Millisecond}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	store := func(c *Client, n int) {
		t.Helper()
		for _, r := range send(t.Context(), c, numbered("a", 1, 0, n)...) {
			if r.err != nil || r.Offset != next {
				t.Fatalf("offset %d instead of %d, %v", r.Offset, next, r.err)
			}
			next++
		}
	}
	expire := func(s *Server) {
		t.Helper()
		until(t, "all records are gone", func() bool {
			s.clean()
			return s.cluster.PartitionInfo("a", 1).LogStartOffset == next
		})
	}
	for range 2 {
		store(c, 5)
		expire(s)
		c.Close()
		stop()
		s, stop = serve(t, ServerConfig{Dir: dir})
		c = mustOpen(t, s.Config())
	}
	c.Close()
	stop()
	s, err := OpenServer(ServerConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c = mustOpen(t, s.Config())
	store(c, 5)
	expire(s)
	c.Close()
	s.disk.abort(errors.New("as if it were killed")) // nothing is stored at the end then
	s.Close()
	s, stop = serve(t, ServerConfig{Dir: dir})
	defer stop()
	c = mustOpen(t, s.Config())
	defer c.Close()
	store(c, 5)
}
