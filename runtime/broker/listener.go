package broker

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxRequest is the largest request the embedded broker takes, as Kafka's socket.request.max.bytes.
const maxRequest = 100 << 20

// clients counts the connections of the embedded broker and tells how long there has been none.
type clients struct {
	mu    sync.Mutex
	open  map[net.Conn]bool
	since time.Time // when the last one left, or the broker opened
}

// begin is called when there can be clients.
func (c *clients) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = time.Now()
}

func (c *clients) add(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[conn] = true
}

func (c *clients) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[conn] {
		delete(c.open, conn)
		c.since = time.Now()
	}
}

// idle gives how long nobody has been connected; 0 while somebody is.
func (c *clients) idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) > 0 {
		return 0
	}
	return time.Since(c.since)
}

// cut closes all connections.
func (c *clients) cut() {
	c.mu.Lock()
	open := slices.Collect(maps.Keys(c.open))
	c.mu.Unlock()
	for _, conn := range open {
		_ = conn.Close()
	}
}

// listener hands guarded connections to the broker: those of clients, which it counts, and those the steward makes.
type listener struct {
	net.Listener
	clients *clients
	steward *steward
	conns   chan net.Conn
	failed  chan error
	closing sync.Once
	closed  chan struct{}
}

func newListener(l net.Listener, c *clients, s *steward) *listener {
	out := &listener{Listener: l, clients: c, steward: s, conns: make(chan net.Conn), failed: make(chan error, 1), closed: make(chan struct{})}
	go out.accept()
	return out
}

func (l *listener) accept() {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			l.failed <- err
			return
		}
		guarded := &guard{Conn: conn, clients: l.clients, steward: l.steward}
		l.clients.add(guarded)
		if !l.hand(guarded) {
			_ = guarded.Close()
		}
	}
}

func (l *listener) hand(conn net.Conn) bool {
	select {
	case l.conns <- conn:
		return true
	case <-l.closed:
		return false
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// inside connects to the broker from within, uncounted; nil: it closes.
func (l *listener) inside() net.Conn {
	near, far := net.Pipe()
	if l.hand(&guard{Conn: far, clients: l.clients, steward: l.steward}) {
		return near
	}
	return nil
}

func (l *listener) Close() error {
	l.closing.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// guard is a connection that ends at the first thing that is no Kafka request. The broker behind it would take a browser's "GET " for a
// request of 1.2 GB, and an unknown kind of request would end the process. It also shows the steward what group members ask.
type guard struct {
	net.Conn
	clients *clients
	steward *steward
	head    []byte // of the request, read and not handed on yet
	left    int    // bytes of the request after head
	seen    []byte // the request so far, if it is one for the steward
}

// headSize covers length, kind and version of a request.
const headSize = 8

func (g *guard) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(g.head) == 0 && g.left == 0 {
		if err := g.begin(); err != nil {
			g.steward.lost(g)
			return 0, err
		}
	}
	if len(g.head) > 0 {
		n := copy(b, g.head)
		g.head = g.head[n:]
		return n, nil
	}
	if len(b) > g.left {
		b = b[:g.left]
	}
	n, err := g.Conn.Read(b)
	g.left -= n
	if g.seen != nil {
		g.seen = append(g.seen, b[:n]...)
		if g.left == 0 {
			g.steward.asked(g, parseRequest(g.seen))
			g.seen = nil
		}
	}
	return n, err
}

// begin reads and judges the head of the next request.
func (g *guard) begin() error {
	var head [headSize]byte
	for n := 0; n < headSize; {
		m, err := g.Conn.Read(head[n:])
		n += m
		if err != nil && n < headSize {
			return err
		}
	}
	size, kind, version := binary.BigEndian.Uint32(head[:]), int16(binary.BigEndian.Uint16(head[4:])), int16(binary.BigEndian.Uint16(head[6:]))
	req := kmsg.RequestForKey(kind)
	if size <= headSize || size > maxRequest || req == nil || version < 0 || version > req.MaxVersion() {
		return fmt.Errorf("not a Kafka request: begins with %q", head[:])
	}
	g.head, g.left = head[:], int(size)-(headSize-4)
	switch req.(type) {
	case *kmsg.JoinGroupRequest, *kmsg.SyncGroupRequest, *kmsg.LeaveGroupRequest:
		g.seen = append([]byte(nil), head[:]...)
	}
	return nil
}

// parseRequest reads a request with its length and header; nil if it cannot be read.
func parseRequest(text []byte) kmsg.Request {
	r := kbin.Reader{Src: text[4:]}
	kind, version := r.Int16(), r.Int16()
	r.Int32() // correlation
	r.NullableString()
	req := kmsg.RequestForKey(kind)
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if req.ReadFrom(r.Src) != nil {
		return nil
	}
	return req
}

func (g *guard) Write(b []byte) (int, error) {
	g.steward.answered(g)
	return g.Conn.Write(b)
}

func (g *guard) Close() error {
	g.clients.remove(g)
	g.steward.lost(g)
	return g.Conn.Close()
}
