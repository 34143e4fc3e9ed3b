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
	"time"
)

const (
	findTimeout = 20 * time.Second
	// startTimeout is how long a started process may take until it has locked its directory.
	startTimeout = 5 * time.Second
	findPause    = 20 * time.Millisecond
)

// Find gives the configuration of the embedded broker of a data directory, starting it as a process of its own if none runs:
// start launches `faust broker` detached (the caller knows the program), with its output appended to LogFile(datadir). It waits until the broker
// answers. Of several processes that look at the same time one starts it.
func Find(ctx context.Context, datadir string, start func(dir string) error) (Config, error) {
	dir, err := filepath.Abs(datadir)
	if err != nil {
		return Config{}, fmt.Errorf("find embedded broker: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	f := finder{dir: dir}
	cfg, err := f.look(ctx)
	if err == nil {
		return cfg, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Config{}, fmt.Errorf("find embedded broker: %w", err)
	}
	only, err := f.alone(ctx)
	if err != nil {
		return Config{}, fmt.Errorf("find embedded broker in %s: %w", dir, err)
	}
	defer only.Close()
	if cfg, err := f.look(ctx); err == nil {
		return cfg, nil
	}
	if f.free() {
		from := f.logSize()
		if err := start(dir); err != nil {
			return Config{}, fmt.Errorf("start embedded broker: %w", err)
		}
		return f.wait(ctx, from)
	}
	return f.wait(ctx, f.logSize())
}

// LogFile is where the output of the embedded broker's process goes.
func LogFile(datadir string) string { return filepath.Join(datadir, logFile) }

type finder struct{ dir string }

// look connects to the broker that broker.json names.
func (f finder) look(ctx context.Context) (Config, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	s, err := readState(f.dir)
	if err != nil {
		return Config{}, err
	}
	conn, err := f.dial(ctx, "tcp", s.Addr)
	if err != nil {
		return Config{}, err
	}
	conn.Close()
	return Config{Seeds: []string{s.Addr}, Embedded: true, Dial: f.dial}, nil
}

// dial connects to wherever broker.json says the broker is now, whatever address is asked for, and makes sure that it is that broker: the
// port of one that was killed may be somebody else's Kafka.
func (f finder) dial(ctx context.Context, network, _ string) (net.Conn, error) {
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
	if err != nil {
		conn.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return conn, nil
}

// alone waits for the right to start a broker here.
func (f finder) alone(ctx context.Context) (io.Closer, error) {
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
func (f finder) free() bool {
	l, err := lock(f.dir, lockFile)
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// wait waits until the broker answers. A process that ends before it does, or never takes the lock, is told with what it wrote.
func (f finder) wait(ctx context.Context, from int64) (Config, error) {
	began, held := time.Now(), false
	for {
		cfg, err := f.look(ctx)
		if err == nil {
			return cfg, nil
		}
		free := f.free()
		held = held || !free
		if free && (held || time.Since(began) > startTimeout || f.logSize() > from && time.Since(began) > time.Second) {
			return Config{}, fmt.Errorf("the embedded broker of %s did not start%s", f.dir, f.logText(from))
		}
		if pause(ctx) != nil {
			return Config{}, fmt.Errorf("the embedded broker of %s does not answer: %w%s", f.dir, err, f.logText(from))
		}
	}
}

func (f finder) logSize() int64 {
	info, err := os.Stat(LogFile(f.dir))
	if err != nil {
		return 0
	}
	return info.Size()
}

// logText gives the last lines that were written after from.
func (f finder) logText(from int64) string {
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
