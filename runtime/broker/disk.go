package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrFull: the disk of the embedded broker has no room for more records.
var ErrFull = errors.New("no room for more records")

// ErrEnded: the embedded broker in this process ended and does not come back.
var ErrEnded = errors.New("it ended")

// reserve is the free space below which the embedded broker takes no more records: what else it has to write, offsets above all, still finds room then.
const reserve = 4 << 20

// disk guards what an embedded broker stores. kfake takes a record for stored although writing it failed when its sender tries again, forgets topics and
// offsets that could not be written, and goes on. So records are refused, for a while, before the disk is full; and when something cannot be
// written all the same, the broker ends without another word to anybody: what it acknowledged is stored, as after a SIGKILL, and the
// clients start it again when that is possible.
type disk struct {
	dir  string
	log  *slog.Logger
	free func() (uint64, error) // nil: there always is enough

	judged  kmsg.Request // last, and whether it was refused; for the broker's own goroutine
	refused bool
	hold    atomic.Bool // no record is taken for a moment

	mu      sync.Mutex
	wanted  uint64 // the largest request that was refused since there was room; 0: none was
	serving bool   // clients are served
	closed  bool   // they were
	err     *Error
	failed  chan struct{} // closed when err is set
	over    chan struct{} // closed when nobody is served any more
	end     sync.Once
}

func newDisk(cfg ServerConfig, log *slog.Logger) *disk {
	d := &disk{dir: cfg.Dir, log: log, free: cfg.Free, failed: make(chan struct{}), over: make(chan struct{})}
	if d.free == nil && cfg.Dir != "" {
		d.free = func() (uint64, error) { return freeSpace(cfg.Dir) }
	}
	return d
}

// freeSpace is what is free on the file system of a directory, for a user without privileges.
func freeSpace(dir string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}

// room is an *Error that wraps ErrFull if n bytes of records would be refused. A disk that does not tell has room.
func room(dir string, n uint64, free func() (uint64, error)) error {
	if free == nil {
		return nil
	}
	left, err := free()
	if err != nil || left >= reserve+n {
		return nil
	}
	return &Error{
		Class: Embedded, Addr: dir, Err: fmt.Errorf("%w: its disk has %.1f MiB left, and the last %d are kept for offsets and the like", ErrFull, float64(left)/(1<<20), reserve>>20),
		Hint: "make room there, or choose another folder with --datadir",
	}
}

// guard makes the cluster refuse records while there is no room for them. An error is one of what was written so far.
func (d *disk) guard(c *kfake.Cluster) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	d.serving = true
	if d.dir != "" || d.free != nil {
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.KafkaStorageError, Count: -1, When: d.refuses})
	}
	return nil
}

// refuses tells whether there is no room for a request's records. The broker asks for every partition of it, one after the other.
func (d *disk) refuses(req kmsg.Request) bool {
	if req == d.judged {
		return d.refused
	}
	n := 0
	if produce, ok := req.(*kmsg.ProduceRequest); ok {
		for _, t := range produce.Topics {
			for _, p := range t.Partitions {
				n += len(p.Records)
			}
		}
	}
	d.judged, d.refused = req, d.hold.Load() || d.lacks(uint64(max(n, 1)))
	return d.refused
}

// lacks tells whether there is no room for n bytes, and says so in the log if there was.
func (d *disk) lacks(n uint64) bool {
	err := room(d.dir, n, d.free)
	if err == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wanted == 0 {
		d.log.Error("records are refused", "err", err)
	}
	d.wanted = max(d.wanted, n)
	return true
}

// look says in the log when there is room again.
func (d *disk) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wanted > 0 && room(d.dir, d.wanted, d.free) == nil {
		d.wanted = 0
		d.log.Warn("there is room again, records are taken")
	}
}

// Logf implements kfake.Logger. What could not be written is known from here alone.
func (d *disk) Logf(level kfake.LogLevel, format string, args ...any) {
	serverLogger{d.log}.Logf(level, format, args...)
	if unwritten(format) {
		d.fail(format, args)
	}
}

// unwritten tells whether a line of the broker's log says that state could not be stored.
func unwritten(format string) bool {
	return strings.HasPrefix(format, "persist ") || strings.HasPrefix(format, "rebuildSegments ")
}

// fail ends the goroutine it is called on, the broker's own, if it serves: nobody hears that all is well.
func (d *disk) fail(format string, args []any) {
	err := fmt.Errorf(format, args...)
	for _, a := range args {
		if e, ok := a.(error); ok {
			err = e
		}
	}
	if d.abort(err) {
		<-d.over
		runtime.Goexit()
	}
}

// abort makes the broker end for what could not be written; false: it does not serve now.
func (d *disk) abort(err error) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil && (d.serving || !d.closed) {
		d.err = unusable(d.dir, err)
		close(d.failed)
	}
	return d.serving
}

// broken is why the broker ended, or has to; nil: it is well.
func (d *disk) broken() *Error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// closing is called when the broker ends in order: what cannot be written then ends nothing.
func (d *disk) closing() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serving, d.closed = false, true
}

// close lets go of the broker's goroutine.
func (d *disk) close() { d.end.Do(func() { close(d.over) }) }

// unusable is the error of a directory in which no broker can run.
func unusable(dir string, err error) *Error {
	e := &Error{Class: Embedded, Addr: dir, Err: err}
	var path *os.PathError
	if errors.As(err, &path) && strings.Contains(err.Error(), "\n") {
		e.Err = path // the first of many of the same kind
	}
	if path != nil || errors.As(err, new(*os.LinkError)) {
		e.Hint = "its files are kept there: make room and give yourself the right to write, or choose another folder with --datadir"
	}
	return e
}
