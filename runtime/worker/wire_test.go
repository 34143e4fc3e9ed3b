package worker

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// wire is the network of one worker. It can be cut, as the machine's death does, and it can stall: what is written then is under way, and arrives when
// the wire is good again, even if the writer has given up by then.
type wire struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	dead  bool
	held  chan struct{} // closed when the stall ends; nil: it does not stall
	conns map[*wireConn]bool
}

func (w *world) wire() *wire { return &wire{dial: w.cfg.Dial, conns: map[*wireConn]bool{}} }

// Dial is for broker.Config.
func (x *wire) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	for {
		x.mu.Lock()
		dead, held := x.dead, x.held
		x.mu.Unlock()
		switch {
		case dead:
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
		case held == nil:
			c, err := x.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return x.add(c), nil
		}
		select {
		case <-held:
		case <-ctx.Done():
			return nil, &net.OpError{Op: "dial", Net: network, Err: os.ErrDeadlineExceeded}
		}
	}
}

func (x *wire) add(c net.Conn) net.Conn {
	x.mu.Lock()
	defer x.mu.Unlock()
	wc := &wireConn{Conn: c, wire: x, closed: make(chan struct{}), writing: make(chan struct{}, 1)}
	x.conns[wc] = true
	if x.dead {
		c.Close()
	}
	return wc
}

// cut ends all connections and refuses new ones, for ever.
func (x *wire) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dead = true
	for c := range x.conns {
		c.Conn.Close()
	}
	if x.held != nil {
		close(x.held)
		x.held = nil
	}
}

// stall holds everything up until the function it gives is called.
func (x *wire) stall() (end func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead || x.held != nil {
		return func() {}
	}
	held := make(chan struct{})
	x.held = held
	return func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.held != held {
			return // it was cut
		}
		x.held = nil
		for c := range x.conns {
			go c.arrive()
		}
		close(held)
	}
}

func (x *wire) stalls() chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.held
}

// wireConn is a connection over a wire.
type wireConn struct {
	net.Conn
	wire   *wire
	once   sync.Once
	closed chan struct{}

	writing chan struct{} // held while something is written; a mutex would stop the bubble's clock
	waiting []byte        // written during a stall

	mu       sync.Mutex
	deadline time.Time // of reads
}

// arrive writes what was under way.
func (c *wireConn) arrive() {
	c.writing <- struct{}{}
	c.deliver()
	<-c.writing
	select {
	case <-c.closed:
		c.end()
	default:
	}
}

// deliver is arrive with c.writing held.
func (c *wireConn) deliver() {
	if len(c.waiting) > 0 {
		_ = c.Conn.SetWriteDeadline(time.Time{})
		_, _ = c.Conn.Write(c.waiting)
		c.waiting = nil
	}
}

func (c *wireConn) end() {
	c.Conn.Close()
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	delete(c.wire.conns, c)
}

func (c *wireConn) Write(b []byte) (int, error) {
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	if c.wire.stalls() != nil {
		c.waiting = append(c.waiting, b...)
		return len(b), nil
	}
	c.deliver()
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if held := c.wire.stalls(); held != nil && err == nil {
		c.mu.Lock()
		limit := c.deadline
		c.mu.Unlock()
		var late <-chan time.Time
		if !limit.IsZero() {
			late = time.After(time.Until(limit))
		}
		select {
		case <-held:
		case <-c.closed:
			return 0, net.ErrClosed
		case <-late:
			return 0, os.ErrDeadlineExceeded
		}
	}
	return n, err
}

func (c *wireConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *wireConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetReadDeadline(t)
}

// Close ends the connection; what is under way still arrives.
func (c *wireConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	if c.wire.stalls() == nil {
		c.end()
	} else {
		_ = c.Conn.SetReadDeadline(time.Now()) // whoever reads need not wait
	}
	return nil
}
