package broker

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"faust/runtime/topic"
	"faust/tests/drive"
)

func TestFindStartsOne(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var starts atomic.Int32
	start := func(dir string) (<-chan struct{}, error) {
		starts.Add(1)
		return startChild(t, dir).ended, nil
	}
	var all sync.WaitGroup
	found := make([]Config, 8)
	for i := range found {
		all.Go(func() {
			cfg, err := Find(t.Context(), dir, start)
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = cfg
		})
	}
	all.Wait()
	if n := starts.Load(); n != 1 {
		t.Errorf("%d brokers were started", n)
	}
	for _, cfg := range found {
		if len(cfg.Seeds) != 1 || cfg.Seeds[0] != found[0].Seeds[0] || !cfg.Embedded {
			t.Fatalf("%+v", cfg)
		}
	}
	mustOpen(t, found[0]).Close()
}

// A client finds a broker again that was killed and started on another port.
func TestFindFollowsTheBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var last atomic.Pointer[process]
	start := func(dir string) (<-chan struct{}, error) {
		_, port, _ := net.SplitHostPort(drive.Closed(t))
		p := startChild(t, dir, "FAUST_TEST_BROKER_PORT="+port)
		last.Store(p)
		return p.ended, nil
	}
	cfg, err := Find(t.Context(), dir, start)
	if err != nil {
		t.Fatal(err)
	}
	c := mustOpen(t, cfg)
	defer c.Close()
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 1}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	if r := send(t.Context(), c, topic.Record{Topic: "a", Value: []byte("1")}); r[0].err != nil {
		t.Fatal(r[0].err)
	}
	last.Load().kill(t)
	fate := make(chan sent, 1)
	c.Produce(t.Context(), &topic.Record{Topic: "a", Value: []byte("2")}, func(r topic.Record, err error) { fate <- sent{r, err} })
	again, err := Find(t.Context(), dir, start)
	if err != nil {
		t.Fatal(err)
	}
	if again.Seeds[0] == cfg.Seeds[0] {
		t.Error("the same port as before")
	}
	if r := <-fate; r.err != nil || r.Offset != 1 {
		t.Errorf("a record sent while the broker was away: offset %d, %v", r.Offset, r.err)
	}
}

// The port of a broker that was killed may be somebody else's Kafka by now.
func TestFindComparesTheCluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stranger := kafkaAt(t)
	if err := (state{Addr: stranger, PID: 1, ClusterID: "faust-other", Dir: dir}).write(dir); err != nil {
		t.Fatal(err)
	}
	started := false
	cfg, err := Find(t.Context(), dir, func(dir string) (<-chan struct{}, error) {
		started = true
		return startChild(t, dir).ended, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !started || cfg.Seeds[0] == stranger {
		t.Errorf("took %v for ours", cfg.Seeds)
	}
}

func TestFindTellsWhyNoneStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken := accepting(t, func(conn net.Conn) { conn.Close() })
	_, port, _ := net.SplitHostPort(taken)
	_, err := Find(t.Context(), dir, func(dir string) (<-chan struct{}, error) {
		return startChild(t, dir, "FAUST_TEST_BROKER_PORT="+port).ended, nil
	})
	if err == nil || !strings.Contains(err.Error(), "did not start") || !strings.Contains(err.Error(), "port "+port+" is taken") {
		t.Errorf("%v", err)
	}
	_, err = Find(t.Context(), t.TempDir(), func(string) (<-chan struct{}, error) { return nil, errors.New("no such program") })
	if err == nil || !strings.Contains(err.Error(), "no such program") {
		t.Errorf("%v", err)
	}
}

// A process that takes its time is waited for, whatever it wrote meanwhile, and told with its last words.
func TestFindWaitsForASlowStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		began, ended := time.Now(), make(chan struct{})
		_, err := Find(t.Context(), dir, func(dir string) (<-chan struct{}, error) {
			says := func(text string) {
				if err := os.WriteFile(LogFile(dir), []byte(text), 0o644); err != nil {
					t.Error(err)
				}
			}
			says("a word\n")
			go func() {
				defer close(ended)
				only, err := lock(dir, lockFile)
				if err != nil {
					t.Error(err)
					return
				}
				<-time.After(10 * time.Second)
				only.Close()
				<-time.After(20 * time.Second)
				says("a word\nthe reason\n")
			}()
			return ended, nil
		})
		if err == nil || !strings.HasSuffix(err.Error(), "it did not start: a word\nthe reason") || time.Since(began) < 30*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// Who looks for a broker that is just ending, and holds its directory still, starts another one.
func TestFindWhileTheBrokerEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 3 {
		var p *process
		cfg, err := Find(t.Context(), dir, func(dir string) (<-chan struct{}, error) {
			p = startChild(t, dir)
			return p.ended, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if p == nil {
			t.Fatalf("the one that ends is found, at %s", cfg.Seeds)
		}
		mustOpen(t, cfg).Close()
		p.stdin.Close() // it ends
		until(t, "broker.json is gone", func() bool {
			_, err := readState(dir)
			return errors.Is(err, os.ErrNotExist)
		})
	}
}

// A client whose broker was killed brings it back by itself, with what was stored.
func TestClientStartsTheBrokerAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var last atomic.Pointer[process]
	start := func(dir string) (<-chan struct{}, error) {
		p := startChild(t, dir)
		last.Store(p)
		return p.ended, nil
	}
	cfg, err := Find(t.Context(), dir, start)
	if err != nil {
		t.Fatal(err)
	}
	c := mustOpen(t, cfg)
	defer c.Close()
	if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 1}}, topic.Topic{}); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if i > 0 {
			last.Load().kill(t)
		}
		if r := send(t.Context(), c, topic.Record{Topic: "a", Value: []byte("x")}); r[0].err != nil || r[0].Offset != int64(i) {
			t.Fatalf("offset %d instead of %d, %v", r[0].Offset, i, r[0].err)
		}
	}
}

// One that cannot be started is not tried with every connection, but again after a while.
func TestClientLeavesABrokerAloneThatDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		starts := 0
		f := &finder{dir: dir, start: func(string) (<-chan struct{}, error) { starts++; return nil, errors.New("no such program") }}
		for want := range 2 {
			for range 3 {
				_, err := f.dial(t.Context(), "tcp", "")
				if err == nil || !strings.Contains(err.Error(), "no such program") {
					t.Errorf("%v", err)
				}
			}
			if starts != want+1 {
				t.Errorf("%d attempts", starts)
			}
			<-time.After(restartPause)
		}
	})
}

func TestFindInAnUnusableFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Find(t.Context(), file, func(string) (<-chan struct{}, error) { t.Error("started"); return nil, nil })
	var e *Error
	if !errors.As(err, &e) || e.Class != Embedded || !strings.Contains(e.Hint, "--datadir") {
		t.Errorf("%v", err)
	}
}

// A broker whose directory is deleted ends, because the next one who looks starts another; a broker.json that is damaged is put back.
func TestServerLooksAfterItsFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	s, err := OpenServer(ServerConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, damage := range []func() error{
		func() error { return os.Remove(filepath.Join(dir, stateFile)) },
		func() error { return os.WriteFile(filepath.Join(dir, stateFile), []byte("{garbage"), 0o644) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if err := s.keepDir(); err != nil {
			t.Fatal(err)
		}
		if now, err := readState(dir); err != nil || now != s.state {
			t.Errorf("%+v, %v", now, err)
		}
	}
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	// at once: file after file, it might put broker.json back in between
	if err := os.Rename(dir, dir+".removed"); err != nil {
		t.Fatal(err)
	}
	other, stop := serve(t, ServerConfig{Dir: dir})
	defer stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "removed") {
		t.Errorf("it ended with %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("its clients are kept: %v", err)
	}
	if now, err := readState(dir); err != nil || now != other.state {
		t.Errorf("the broker that came after it is not found: %+v, %v", now, err)
	}
}

// Stored data keeps its cluster id, whatever becomes of broker.id.
func TestFindWithoutBrokerID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		_, stop := serve(t, ServerConfig{Dir: dir})
		cfg, err := Find(t.Context(), dir, func(string) (<-chan struct{}, error) { t.Error("started"); return nil, nil })
		if err != nil {
			t.Fatal(err)
		}
		mustOpen(t, cfg).Close()
		stop()
		if err := os.Remove(filepath.Join(dir, "broker.id")); err != nil {
			t.Fatal(err)
		}
	}
}

// A client of a broker whose data was deleted is told so: topics, offsets and groups of the new one are others.
func TestClientOfADeletedBroker(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	_, stop := serve(t, ServerConfig{Dir: dir})
	cfg, err := Find(t.Context(), dir, func(string) (<-chan struct{}, error) { return nil, errors.New("not needed") })
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	_, stop = serve(t, ServerConfig{Dir: dir})
	defer stop()
	if _, err := cfg.Dial(t.Context(), "tcp", cfg.Seeds[0]); !errors.Is(err, ErrReplaced) {
		t.Errorf("%v", err)
	}
}
