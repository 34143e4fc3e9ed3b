package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"faust/runtime/topic"
)

// childEnv makes this test binary the embedded broker of a directory, as `faust broker` is.
const childEnv = "FAUST_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

func child(dir string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	port, _ := strconv.Atoi(os.Getenv("FAUST_TEST_BROKER_PORT"))
	idle, _ := time.ParseDuration(os.Getenv("FAUST_TEST_BROKER_IDLE"))
	s, err := OpenServer(ServerConfig{Dir: dir, Port: port, Strict: port != 0, Idle: idle, Logger: log})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 4
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() { // the parent's end is ours
		_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
		stop()
	}()
	if err := s.Run(ctx); err != nil {
		return 1
	}
	return 0
}

// process is a started broker; the end of the test ends it.
type process struct {
	*exec.Cmd
	stdin io.WriteCloser
	ended chan struct{}
}

func startChild(t *testing.T, dir string, env ...string) *process {
	t.Helper()
	log, err := os.OpenFile(LogFile(dir), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p := &process{Cmd: exec.Command(os.Args[0]), ended: make(chan struct{})}
	p.Env = append(append(os.Environ(), childEnv+"="+dir), env...)
	p.Stdout, p.Stderr = log, log
	if p.stdin, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		p.stdin.Close()
		<-p.ended
	})
	return p
}

// ready starts a broker and gives its address.
func ready(t *testing.T, dir string) (*process, string) {
	t.Helper()
	f := &finder{dir: dir}
	from := f.logSize()
	p := startChild(t, dir)
	addr, err := f.wait(t.Context(), p.ended, from)
	if err != nil {
		t.Fatal(err)
	}
	return p, addr
}

// until asks again and again.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not so", what)
		}
	}
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.ended
}

// mustOpen opens, again if there was no answer: on a busy machine one may take longer than Open waits for it.
func mustOpen(t *testing.T, cfg Config) *Client {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		c, err := Open(t.Context(), cfg)
		if err == nil {
			return c
		}
		if e := (*Error)(nil); !errors.As(err, &e) || e.Class != Unreachable || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// serve opens a server and runs it; stop ends it and waits.
func serve(t *testing.T, cfg ServerConfig) (s *Server, stop func()) {
	t.Helper()
	s, err := OpenServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func readAll(t *testing.T, c *Client, cfg Config, name string, n int) []string {
	t.Helper()
	ready := make(chan *Group, 1)
	g, err := Join(t.Context(), cfg, GroupConfig{Group: "reader-" + name + strconv.FormatInt(time.Now().UnixNano(), 36), Topics: []string{name}, Assigned: func(_ context.Context, ps map[topic.Partition]int64) error {
		g := <-ready
		for p := range ps {
			g.Resume(p)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	ready <- g
	var out []string
	for len(out) < n {
		bs, err := g.Poll(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range bs {
			for _, r := range b.Records {
				out = append(out, string(r.Value))
			}
		}
	}
	if err := g.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	return out
}

func TestServerKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	id := ""
	for round := range 3 {
		s, stop := serve(t, ServerConfig{Dir: dir})
		if id != "" && s.state.ClusterID != id {
			t.Errorf("the cluster id changed from %s to %s", id, s.state.ClusterID)
		}
		id = s.state.ClusterID
		c := mustOpen(t, s.Config())
		if ds, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 2, Retention: time.Hour}}, topic.Topic{}); err != nil || len(ds) > 0 {
			t.Fatal(ds, err)
		}
		for i, r := range send(t.Context(), c, numbered("a", 1, round*10, 10)...) {
			if r.err != nil || r.Offset != int64(round*10+i) {
				t.Errorf("%d: offset %d, %v", i, r.Offset, r.err)
			}
		}
		if got := readAll(t, c, s.Config(), "a", (round+1)*10); got[0] != "0" || got[len(got)-1] != strconv.Itoa(round*10+9) {
			t.Errorf("%v", got)
		}
		c.Close()
		stop()
		if _, err := readState(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("broker.json is left: %v", err)
		}
	}
}

func TestServerSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	total := 0
	for range 3 {
		p, addr := ready(t, dir)
		cfg := Config{Seeds: []string{addr}, Embedded: true}
		c := mustOpen(t, cfg)
		if _, err := c.Ensure(t.Context(), []topic.Topic{{Name: "a", Partitions: 1}}, topic.Topic{}); err != nil {
			t.Fatal(err)
		}
		for _, r := range send(t.Context(), c, numbered("a", 0, total, 500)...) {
			if r.err != nil {
				t.Fatal(r.err)
			}
		}
		total += 500
		p.kill(t)
		c.Close()
	}
	s, stop := serve(t, ServerConfig{Dir: dir})
	defer stop()
	c := mustOpen(t, s.Config())
	defer c.Close()
	got := readAll(t, c, s.Config(), "a", total)
	for i, v := range got {
		if v != strconv.Itoa(i) {
			t.Fatalf("record %d is %s", i, v)
		}
	}
}

func TestServerRunsOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, stop := serve(t, ServerConfig{Dir: dir})
	_, err := OpenServer(ServerConfig{Dir: dir})
	if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), s.Addr()) || !strings.Contains(err.Error(), fmt.Sprint("pid ", os.Getpid())) {
		t.Errorf("a second one: %v", err)
	}
	stop()
	_, stop = serve(t, ServerConfig{Dir: dir})
	stop()
}

func TestServerPortTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, stop := serve(t, ServerConfig{Dir: dir})
	defer stop()
	_, text, _ := net.SplitHostPort(s.Addr())
	port, _ := strconv.Atoi(text)
	var log syncBuffer
	other, end := serve(t, ServerConfig{Dir: t.TempDir(), Port: port, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer end()
	if other.Addr() == s.Addr() {
		t.Error("the same address twice")
	}
	if want := fmt.Sprintf("the faust broker of %s, pid %d", s.cfg.Dir, os.Getpid()); !strings.Contains(log.String(), want) {
		t.Errorf("the log does not name the holder (%s): %s", want, &log)
	}
	_, err := OpenServer(ServerConfig{Dir: t.TempDir(), Port: port, Strict: true})
	if err == nil || !strings.Contains(err.Error(), s.cfg.Dir) {
		t.Errorf("strict: %v", err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if got := occupant(taken.Addr().(*net.TCPAddr).Port); got != "another program" {
		t.Errorf("somebody else's port: %s", got)
	}
}

func TestServerEndsWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var vnet kfake.VirtualNetwork
		s, err := OpenServer(ServerConfig{Listen: vnet.Listen, Idle: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Run(context.Background()) }()
		cfg := s.Config()
		cfg.Dial = vnet.DialContext
		<-time.After(8 * time.Second)
		c, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour)
		select {
		case err := <-done:
			t.Fatalf("ended under a client: %v", err)
		default:
		}
		c.Close()
		left := time.Now()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if took := time.Since(left); took < 9*time.Second || took > 13*time.Second {
			t.Errorf("ended %s after the last client", took)
		}
	})
}

func TestServerWithoutClientsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var vnet kfake.VirtualNetwork
		s, err := OpenServer(ServerConfig{Listen: vnet.Listen, Idle: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := s.Run(context.Background()); err != nil || time.Since(began) > 12*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

func TestServerCleans(t *testing.T) {
	bubble(t, func(v *virtual) {
		ctx, cancel := context.WithCancel(v.Context())
		done := make(chan error, 1)
		go func() { done <- v.server.Run(ctx) }()
		v.ensure(topic.Topic{Name: "short", Partitions: 1, Retention: time.Hour}, topic.Topic{Name: "ever", Partitions: 1, Retention: -1}, topic.Topic{Name: "a", Partitions: 1})
		if err := v.server.cluster.CreateTopic("default", 1, nil); err != nil {
			v.Fatal(err)
		}
		for _, name := range []string{"short", "ever", "default", "a"} {
			v.send(numbered(name, 0, 0, 5)...)
		}
		first := func(name string) int64 { return v.server.cluster.PartitionInfo(name, 0).LogStartOffset }
		<-time.After(2 * time.Hour)
		if first("short") != 5 || first("ever") != 0 || first("default") != 0 || first("a") != 0 {
			v.Errorf("after two hours: %d %d %d %d", first("short"), first("ever"), first("default"), first("a"))
		}
		<-time.After(8 * 24 * time.Hour)
		if first("ever") != 0 || first("default") != 5 || first("a") != 5 {
			v.Errorf("after a week: %d %d %d", first("ever"), first("default"), first("a"))
		}
		cancel()
		if err := <-done; err != nil {
			v.Error(err)
		}
	})
}

// Whatever knocks at the port, the broker goes on.
func TestServerIgnoresStrangers(t *testing.T) {
	t.Parallel()
	s, stop := serve(t, ServerConfig{})
	defer stop()
	if resp, err := (&http.Client{Timeout: time.Minute}).Get("http://" + s.Addr() + "/"); err == nil {
		resp.Body.Close()
		t.Error("it answers HTTP")
	}
	for _, text := range []string{"\x00\x00\x00\x0a\x7f\xff\x00\x00\x00\x00\x00\x01\xff\xff", "\x7f\xff\xff\xff\x00\x00\x00\x00", "\x00\x00\x00\x01\x00", "\x00\x00\x00\x0a\x00\x03\x7f\x00\x00\x00\x00\x01\xff\xff",
		"\x00\x00\x00\x08\x00\x03\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff"} {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if n, _ := conn.Read(make([]byte, 10)); n > 0 {
			t.Errorf("%q is answered", text)
		}
		conn.Close()
	}
	c := mustOpen(t, s.Config())
	c.Close()
}

func TestServerHidesDescribeTopicPartitions(t *testing.T) {
	t.Parallel()
	s, stop := serve(t, ServerConfig{})
	defer stop()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	resp := kmsg.NewPtrApiVersionsResponse()
	if err := roundTrip(conn, kmsg.NewPtrApiVersionsRequest(), resp); err != nil {
		t.Fatal(err)
	}
	kinds := map[int16]bool{}
	for _, k := range resp.ApiKeys {
		kinds[k.ApiKey] = true
	}
	if kinds[75] || !kinds[0] || !kinds[3] {
		t.Errorf("kinds %v", kinds)
	}
}
