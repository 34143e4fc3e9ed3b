package broker

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

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

// listener hands counted and guarded connections to the broker.
type listener struct {
	net.Listener
	clients *clients
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	guarded := &guard{Conn: conn, clients: l.clients}
	l.clients.add(guarded)
	return guarded, nil
}

// guard is a connection that ends at the first thing that is no Kafka request. The broker behind it would take a browser's "GET " for a
// request of 1.2 GB, and an unknown kind of request would end the process.
type guard struct {
	net.Conn
	clients *clients
	head    []byte // of the request, read and not handed on yet
	left    int    // bytes of the request after head
}

// headSize covers length, kind and version of a request.
const headSize = 8

func (g *guard) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if len(g.head) == 0 && g.left == 0 {
		if err := g.begin(); err != nil {
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
	if size < headSize || size > maxRequest || req == nil || version < 0 || version > req.MaxVersion() {
		return fmt.Errorf("not a Kafka request: begins with %q", head[:])
	}
	g.head, g.left = head[:], int(size)-(headSize-4)
	return nil
}

func (g *guard) Close() error {
	g.clients.remove(g)
	return g.Conn.Close()
}
