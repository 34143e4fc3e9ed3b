package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// ErrReplaced: the data of the embedded broker was deleted, and another broker runs in its place.
var ErrReplaced = errors.New("its data was deleted, and a new broker runs in its place")

const (
	findTimeout = time.Minute
	// holdTimeout is how long a broker may hold its directory without an answer.
	holdTimeout = 20 * time.Second
	findPause   = 20 * time.Millisecond
	// restartPause is how long a broker that could not be started is not tried again for clients that lost theirs.
	restartPause = 5 * time.Second
)

// Start launches `faust broker` detached, with its output appended to LogFile(dir). The channel is closed when that process has ended.
type Start func(dir string) (ended <-chan struct{}, err error)

// Find gives the configuration of the embedded broker of a data directory, starting it as a process of its own if none runs: start does that, since
// the caller knows the program. It waits until the broker
// answers. Of several processes that look at the same time one starts it. Clients of the configuration start it again when it is gone, so start
// may be called later, from any goroutine. An embedded broker that cannot be had is an *Error of class Embedded.
func Find(ctx context.Context, datadir string, start Start) (Config, error) {
	dir, err := filepath.Abs(datadir)
	if err != nil {
		return Config{}, fmt.Errorf("find embedded broker: %w", err)
	}
	f := &finder{dir: dir, start: start}
	addr, err := f.find(ctx)
	if err != nil {
		return Config{}, err
	}
	return Config{Seeds: []string{addr}, Embedded: true, Dial: f.dial, Room: f.room}, nil
}

// room implements Config.Room.
func (f *finder) room(n uint64) error {
	return room(f.dir, n, func() (uint64, error) { return freeSpace(f.dir) })
}

// find gives the address of the broker, which it starts if none runs.
func (f *finder) find(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	if addr, err := f.look(ctx); err == nil || errors.Is(err, ErrReplaced) {
		return addr, err
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return "", f.unusable(err)
	}
	only, err := f.alone(ctx)
	if err != nil {
		return "", f.unusable(err)
	}
	defer only.Close()
	if addr, err := f.holder(ctx); addr != "" || err != nil {
		return addr, err
	}
	from := f.logSize()
	if err := f.writable(); err != nil {
		return "", f.unusable(err)
	}
	if err := ctx.Err(); err != nil { // whoever asked is gone, and would not use it
		return "", f.unusable(err)
	}
	ended, err := f.start(f.dir)
	if err != nil {
		return "", f.unusable(err)
	}
	return f.wait(ctx, ended, from)
}

// unusable is the error of a directory in which no broker can run. An end of the context stays what it is.
func (f *finder) unusable(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("find embedded broker in %s: %w", f.dir, err)
	}
	return unusable(f.dir, err)
}

// probeSize is about what a broker writes to start, and to take note of its clients.
const probeSize = 64 << 10

// writable makes sure that files in the directory can have content: on a full disk they can only be made.
func (f *finder) writable() error {
	probe, err := os.CreateTemp(f.dir, "broker.probe.*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(probe.Name()) }()
	_, err = probe.Write(make([]byte, probeSize))
	return errors.Join(err, probe.Close())
}

// LogFile is where the output of the embedded broker's process goes.
func LogFile(datadir string) string { return filepath.Join(datadir, logFile) }

type finder struct {
	dir   string
	start Start

	mu    sync.Mutex // held while a client brings the broker back
	tried time.Time  // the last attempt, and what became of it
	why   error
	from  int64 // where the log was

	cluster atomic.Pointer[string] // the id of the broker that was found first
}

// look connects to the broker that broker.json names.
func (f *finder) look(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := f.connect(ctx, "tcp")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.RemoteAddr().String(), nil
}

// dial connects to wherever broker.json says the broker is now, whatever address is asked for. A broker that is gone is started again.
func (f *finder) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	try, cancel := context.WithTimeout(ctx, OpenTimeout)
	defer cancel()
	conn, err := f.connect(try, network)
	if err == nil || ctx.Err() != nil || errors.Is(err, ErrReplaced) {
		return conn, err
	}
	if back := f.restart(ctx); back != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: back}
	}
	return f.connect(ctx, network)
}

// restart is find for a client that lost its broker; one that cannot be started, or ended soon after its start, is left alone for a while.
func (f *finder) restart(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Since(f.tried) < restartPause {
		if f.why == nil && f.free() {
			f.why = &Error{Class: Embedded, Addr: f.dir, Err: fmt.Errorf("it ended soon after its start%s", f.logText(f.from))}
		}
		if f.why != nil {
			return f.why
		}
	}
	from := f.logSize()
	_, err := f.find(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.tried, f.why, f.from = time.Now(), err, from
	return err
}

// connect makes sure that what answers is the broker of broker.json: the port of one that was killed may be somebody else's Kafka.
func (f *finder) connect(ctx context.Context, network string) (net.Conn, error) {
	s, err := readState(f.dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("the embedded broker of %s does not run", f.dir)
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, s.Addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	id, err := clusterID(conn)
	if !stop() {
		err = errors.Join(err, ctx.Err())
	}
	if err == nil && id != s.ClusterID {
		err = fmt.Errorf("%s is another broker now, not the one of %s", s.Addr, f.dir)
	}
	if err == nil && !f.cluster.CompareAndSwap(nil, &id) && *f.cluster.Load() != id {
		err = &Error{
			Class: Embedded, Addr: f.dir, Err: ErrReplaced,
			Hint: "what was read and committed so far means nothing to the new one: start this again",
		}
	}
	if err != nil {
		conn.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return conn, nil
}

// alone waits for the right to start a broker here.
func (f *finder) alone(ctx context.Context) (io.Closer, error) {
	for {
		l, err := lock(f.dir, startLock)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, err
		}
		if err := pause(ctx); err != nil {
			return nil, err
		}
	}
}

// free tells whether no broker holds the directory.
func (f *finder) free() bool {
	l, err := lock(f.dir, lockFile)
	if err == nil {
		l.Close()
	}
	return !errors.Is(err, errLocked)
}

// holder waits for the broker that holds the directory: it is about to answer, or to end. "": there is none.
func (f *finder) holder(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	for {
		addr, err := f.look(ctx)
		if err == nil || errors.Is(err, ErrReplaced) {
			return addr, err
		}
		if f.free() {
			return "", nil
		}
		if pause(ctx) != nil {
			return "", &Error{Class: Embedded, Addr: f.dir, Err: fmt.Errorf("it does not answer: %w", err)}
		}
	}
}

// wait waits until the broker that was started answers. A process that ends before it does is told with what it wrote, unless another one was faster.
func (f *finder) wait(ctx context.Context, ended <-chan struct{}, from int64) (string, error) {
	for {
		addr, err := f.look(ctx)
		if err == nil || errors.Is(err, ErrReplaced) {
			return addr, err
		}
		select {
		case <-ended:
			if addr, err := f.holder(ctx); addr != "" || err != nil {
				return addr, err
			}
			return "", &Error{Class: Embedded, Addr: f.dir, Err: fmt.Errorf("it did not start%s", f.logText(from))}
		case <-ctx.Done():
			return "", &Error{Class: Embedded, Addr: f.dir, Err: fmt.Errorf("it does not answer: %w%s", err, f.logText(from))}
		case <-time.After(findPause):
		}
	}
}

func (f *finder) logSize() int64 {
	info, err := os.Stat(LogFile(f.dir))
	if err != nil {
		return 0
	}
	return info.Size()
}

// logText gives the last lines that were written after from.
func (f *finder) logText(from int64) string {
	text, err := os.ReadFile(LogFile(f.dir))
	if err != nil || int64(len(text)) <= from {
		return "; " + LogFile(f.dir) + " may tell why"
	}
	lines := strings.Split(strings.TrimSpace(string(text[from:])), "\n")
	return ": " + strings.Join(lines[max(0, len(lines)-5):], "\n")
}

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(findPause):
		return nil
	}
}

// Look gives the configuration of the embedded broker of a data directory if one runs; neither it nor clients of the configuration start one. An *Error of
// class Embedded says that none runs.
func Look(ctx context.Context, datadir string) (Config, error) {
	dir, err := filepath.Abs(datadir)
	if err != nil {
		return Config{}, fmt.Errorf("find embedded broker: %w", err)
	}
	f, addr := &finder{dir: dir}, ""
	if _, err := readState(dir); err == nil {
		if addr, err = f.holder(ctx); err != nil {
			return Config{}, err
		}
	}
	if addr == "" {
		return Config{}, &Error{Class: Embedded, Addr: dir, Err: errors.New("it does not run")}
	}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) { return f.connect(ctx, network) }
	return Config{Seeds: []string{addr}, Embedded: true, Dial: dial}, nil
}
