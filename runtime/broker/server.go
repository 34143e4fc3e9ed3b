package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// ErrRunning: the directory's broker runs already, in another process.
var ErrRunning = errors.New("the embedded broker of this directory runs already")

// never is the time of what does not happen.
const never = 10 * 365 * 24 * time.Hour

// cleanEvery is how often retention and compaction are applied.
const cleanEvery = time.Minute

// lookEvery is how often the broker makes sure that its directory is there.
const lookEvery = time.Second

// embeddedPartitions is what a topic gets that a client creates without saying how many: as many as an app's default.
const embeddedPartitions = 8

// ServerConfig is an embedded broker.
type ServerConfig struct {
	Dir    string                                           // the data directory: broker.json, broker.lock, and the records in broker/; "": in memory
	Port   int                                              // 0: 9092, or the next free one
	Strict bool                                             // Port must be free
	Listen func(network, addr string) (net.Listener, error) // nil: net.Listen on 127.0.0.1
	Idle   time.Duration                                    // it ends this long after its last client left, or after opening if none came; 0: never
	Free   func() (uint64, error)                           // the free space where the records are; nil: asked of the directory's file system
	Logger *slog.Logger                                     // nil: silent
}

// Server is the embedded broker in this process. It is Kafka's protocol on one node: topics with compaction and retention, classic groups, idempotent and
// transactional producers; Java's tools work. As with Kafka itself, records reach the disk through the page cache, without fsync for each
// batch: killing the process loses nothing that was acknowledged, a power cut may lose the last seconds. Before its disk is full it refuses records until
// there is room; when it cannot write it ends. Topics that do not exist are created when a client asks for that, as with Kafka's default; ours never do.
type Server struct {
	cfg      ServerConfig
	cluster  *kfake.Cluster
	clients  clients
	listener *listener
	steward  *steward
	disk     *disk
	lock     *os.File
	state    state
	log      *slog.Logger
	close    sync.Once
	removed  bool // somebody deleted the directory; set before Close, by Run

	use    sync.RWMutex // held while the cluster is asked something, which never answers once it is closed
	closed bool
}

// OpenServer opens the data directory, takes its lock and listens. ErrRunning (wrapped, with address and pid) if another process has it.
func OpenServer(cfg ServerConfig) (*Server, error) {
	s := &Server{cfg: cfg, log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.clients.open = map[net.Conn]bool{}
	if cfg.Dir != "" {
		if err := s.takeDir(); err != nil {
			return nil, err
		}
	}
	s.disk = newDisk(s.cfg, s.log)
	s.steward = newSteward(s.inside, s.ask)
	if err := s.open(); err != nil {
		s.shut()
		return nil, err
	}
	s.clients.begin()
	s.log.Info("embedded broker listens", "addr", s.state.Addr, "dir", cfg.Dir, "pid", os.Getpid())
	return s, nil
}

// takeDir locks the directory. A holder without broker.json is starting, ending, or only looking whether somebody runs: it is waited for.
func (s *Server) takeDir() error {
	dir, err := filepath.Abs(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("open embedded broker: %w", err)
	}
	s.cfg.Dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return unusable(dir, err)
	}
	for deadline := time.Now().Add(5 * time.Second); ; {
		s.lock, err = lock(dir, lockFile)
		if err == nil {
			removeState(dir) // of a process that was killed
			return nil
		}
		if !errors.Is(err, errLocked) {
			return unusable(dir, err)
		}
		other, stateErr := readState(dir)
		if stateErr == nil {
			return fmt.Errorf("open embedded broker in %s: %w: on %s, pid %d", dir, ErrRunning, other.Addr, other.PID)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("open embedded broker in %s: %w", dir, ErrRunning)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// PortError is a port that the embedded broker cannot have, because somebody else does.
type PortError struct {
	Port int
	By   string
	Err  error
}

func (e *PortError) Error() string {
	return fmt.Sprintf("open embedded broker: port %d is taken by %s", e.Port, e.By)
}
func (e *PortError) Unwrap() error { return e.Err }

// open starts the broker on the first port that is free.
func (s *Server) open() error {
	first, last := DefaultPort, DefaultPort+100
	if s.cfg.Port != 0 {
		first, last = s.cfg.Port, min(s.cfg.Port+100, 65535)
	}
	if s.cfg.Strict {
		last = first
	}
	id, err := s.identity()
	if err == nil && s.cfg.Dir != "" {
		data := filepath.Join(s.cfg.Dir, dataDir)
		err = errors.Join(restore(data), mend(data))
	}
	if err != nil {
		return unusable(s.cfg.Dir, err)
	}
	taken := ""
	for port := first; ; port++ {
		err := s.openAt(port, id)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return unusable(s.cfg.Dir, err)
		}
		if port == first {
			taken = occupant(port)
			s.log.Warn("the port is taken", "port", port, "by", taken)
		}
		if port >= last {
			return &PortError{Port: first, By: taken, Err: err}
		}
	}
	s.state = state{Addr: s.cluster.ListenAddrs()[0], PID: os.Getpid(), ClusterID: s.actual(id), Dir: s.cfg.Dir}
	if s.cfg.Dir == "" {
		return nil
	}
	if err := s.state.write(s.cfg.Dir); err != nil {
		return unusable(s.cfg.Dir, err)
	}
	s.state.announce()
	return nil
}

func (s *Server) openAt(port int, id string) error {
	versions := kversion.Stable()
	// Java's admin client cannot read the answer to DescribeTopicPartitions; without it, it asks for Metadata.
	versions.SetMaxKeyVersion(kmsg.NewPtrDescribeTopicPartitionsRequest().Key(), -1)
	// Nor the configuration entries in the answer to CreateTopics, which version 5 brought; all that is needed is in 4.
	versions.SetMaxKeyVersion(kmsg.NewPtrCreateTopicsRequest().Key(), 4)
	// And it asks for groups of type "Consumer", where from version 5 on only "consumer" would be found.
	versions.SetMaxKeyVersion(kmsg.NewPtrListGroupsRequest().Key(), 4)
	opts := []kfake.Opt{
		kfake.Ports(port),
		kfake.ListenFn(s.listen),
		kfake.ClusterID(id),
		kfake.MaxVersions(versions),
		kfake.AllowAutoTopicCreation(),
		kfake.DefaultNumPartitions(embeddedPartitions),
		kfake.WithLogger(s.disk),
		kfake.BrokerConfigs(map[string]string{
			"default.replication.factor": "1",
			"log.cleaner.backoff.ms":     strconv.Itoa(int(never / time.Millisecond)), // Run cleans, and looks for room first
		}),
	}
	if s.cfg.Dir != "" {
		opts = append(opts, kfake.DataDir(filepath.Join(s.cfg.Dir, dataDir)))
	}
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		return err
	}
	s.use.Lock()
	s.cluster = cluster
	s.use.Unlock()
	return s.disk.guard(cluster)
}

func (s *Server) listen(network, addr string) (net.Listener, error) {
	open := s.cfg.Listen
	if open == nil {
		open = net.Listen
	}
	l, err := open(network, addr)
	if err != nil {
		return nil, err
	}
	s.listener = newListener(l, &s.clients, s.steward)
	return s.listener, nil
}

// inside connects from within the process; nil: the server closes.
func (s *Server) inside() net.Conn { return s.listener.inside() }

// ask runs f with the cluster; false: it is closed, or failed meanwhile, and f may never return.
func (s *Server) ask(f func(*kfake.Cluster)) bool {
	s.use.RLock()
	defer s.use.RUnlock()
	if s.closed || s.cluster == nil { // the first connection may come before NewCluster returns
		return false
	}
	done := make(chan struct{})
	go func() {
		f(s.cluster)
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-s.disk.failed:
		return false
	}
}

// identity gives the cluster id of the directory, which stays over restarts.
func (s *Server) identity() (string, error) {
	fresh := "faust-" + uuid.NewString()
	if s.cfg.Dir == "" {
		return fresh, nil
	}
	path := filepath.Join(s.cfg.Dir, "broker.id")
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return string(text), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return fresh, os.WriteFile(path, []byte(fresh), 0o644)
}

// actual gives the cluster id that clients are told: stored data may carry another one than broker.id, which somebody deleted or copied.
func (s *Server) actual(id string) string {
	conn := s.inside()
	if conn == nil {
		return id
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(OpenTimeout))
	if told, err := clusterID(conn); err == nil {
		return told
	}
	return id
}

// Addr is host:port.
func (s *Server) Addr() string { return s.state.Addr }

// Run serves until ctx ends or it was idle long enough; retention and compaction run meanwhile. What was stored is on disk when it returns.
func (s *Server) Run(ctx context.Context) error {
	defer s.Close()
	clean := time.NewTicker(cleanEvery)
	defer clean.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var idle <-chan time.Time
	if s.cfg.Idle > 0 {
		t := time.NewTicker(max(s.cfg.Idle/10, 10*time.Millisecond))
		defer t.Stop()
		idle = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.disk.failed:
			err := s.disk.broken()
			s.log.Error("embedded broker ends", "err", err)
			return err
		case <-clean.C:
			s.clean()
		case <-look.C:
			s.disk.look()
			if err := s.keepDir(); err != nil {
				return err
			}
		case <-idle:
			if s.clients.idle() >= s.cfg.Idle {
				s.log.Info("embedded broker ends, nobody uses it", "idle", s.cfg.Idle.String())
				return nil
			}
		}
	}
}

// keepDir makes sure that the directory is still this broker's: when somebody deletes it, the next one who looks for a broker starts another, and
// whoever stays here would not hear of him. A broker.json that is gone or damaged is put back.
func (s *Server) keepDir() error {
	if s.lock == nil {
		return nil
	}
	if !s.holds() {
		s.removed = true
		err := fmt.Errorf("the data directory %s of the embedded broker was removed", s.cfg.Dir)
		s.log.Error("embedded broker ends", "err", err)
		return err
	}
	if now, err := readState(s.cfg.Dir); err == nil && now == s.state {
		return nil
	}
	if err := s.state.write(s.cfg.Dir); err != nil {
		s.log.Warn("broker.json cannot be put back", "err", err)
	}
	return nil
}

// holds tells whether the lock is the one that others would find.
func (s *Server) holds() bool {
	mine, err := s.lock.Stat()
	if err != nil {
		return true
	}
	there, err := os.Stat(filepath.Join(s.cfg.Dir, lockFile))
	return err == nil && os.SameFile(mine, there) || err != nil && !errors.Is(err, os.ErrNotExist)
}

// Close ends the broker; Run does it by itself. Idempotent.
func (s *Server) Close() {
	s.close.Do(func() {
		// first: who looks for a broker now has to start one, which waits for the lock
		if s.cfg.Dir != "" {
			if s.holds() {
				removeState(s.cfg.Dir)
			}
			s.state.withdraw()
		}
		s.shut()
	})
}

// shut ends what runs, in this order: who asks the cluster something after it closed waits for ever.
func (s *Server) shut() {
	s.use.Lock()
	s.closed = true
	s.use.Unlock()
	failed := s.disk.broken() != nil
	s.steward.close(!failed)
	switch {
	case s.removed, failed && s.listener != nil:
		// Closing the cluster would store what it has: where another broker may have begun anew, or what it only believes to have.
		_ = s.listener.Close()
		s.clients.cut()
	case s.cluster != nil:
		s.disk.closing()
		s.cluster.Close()
		s.settle()
	}
	s.disk.close()
	s.release()
}

// settle completes what the cluster stored when it closed.
func (s *Server) settle() {
	if s.cfg.Dir == "" {
		return
	}
	if err := anchorClosed(filepath.Join(s.cfg.Dir, dataDir)); err != nil {
		s.log.Error("the offsets of empty partitions are not kept", "err", err)
	}
}

func (s *Server) release() {
	if s.lock != nil {
		s.lock.Close()
	}
}

// Config is how a client reaches this server.
func (s *Server) Config() Config {
	return Config{Seeds: []string{s.Addr()}, Embedded: true, Dial: s.dial, Room: func(n uint64) error { return room(s.cfg.Dir, n, s.disk.free) }}
}

// dial is how clients in this process connect. They cannot start the broker again.
func (s *Server) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := s.disk.broken(); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &Error{Class: Embedded, Addr: s.cfg.Dir, Err: fmt.Errorf("%w: %w", ErrEnded, err.Err), Hint: err.Hint}}
	}
	return (&net.Dialer{}).DialContext(ctx, network, addr)
}
