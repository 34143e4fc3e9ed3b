package broker

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxProbe is the largest answer a probe believes in; what claims more is not Kafka.
const maxProbe = 16 << 20

// probe connects to the seeds at once and asks each which requests it knows, which a broker answers before any login. It gives the first
// seed that answers; if none does, the *Error of the one that got farthest, or why ctx was cancelled before they could.
func probe(asking context.Context, cfg Config) (string, error) {
	ctx, cancel := context.WithTimeout(asking, cfg.patience())
	defer cancel()
	type result struct {
		addr string
		err  *Error
	}
	results := make(chan result, len(cfg.Seeds))
	for _, addr := range cfg.Seeds {
		go func() { results <- result{addr, probeOne(ctx, cfg, addr)} }()
	}
	var worst *Error
	for range cfg.Seeds {
		r := <-results
		if r.err == nil {
			return r.addr, nil
		}
		if worst == nil || farther(r.err.Class) > farther(worst.Class) {
			worst = r.err
		}
	}
	switch {
	case worst == nil:
		return "", errors.New("open broker: no address is configured")
	case errors.Is(asking.Err(), context.Canceled):
		return "", context.Cause(asking)
	}
	return "", worst
}

// farther ranks how far a connection got: the farther, the more its error tells.
func farther(c Class) int {
	return strings.Index("name refused timeout protocol tls sasl", string(c))
}

func probeOne(ctx context.Context, cfg Config, addr string) *Error {
	conn, err := cfg.dial(ctx, "tcp", addr)
	if err == nil {
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		_ = conn.SetReadDeadline(time.Now().Add(cfg.patience() * 4 / 5))
		err = roundTrip(conn, kmsg.NewPtrApiVersionsRequest(), nil)
		if err == nil {
			return nil
		}
		if unanswered(err) && !errors.As(err, new(*brokenOff)) {
			if err = knock(conn, err); err == nil {
				return nil
			}
		}
		if hungUp(err) && cfg.TLS == nil && speaksTLS(ctx, cfg, addr) {
			return secured(addr, err)
		}
		if e := stranger(cfg, addr, err); e != nil {
			return e
		}
	}
	if e := classify(addr, cfg.TLS != nil, err); e != nil {
		return e
	}
	return &Error{Class: Protocol, Addr: addr, Err: err, Hint: "check host and port"}
}

// knock sends an empty line to what does not answer: servers that speak in lines, of HTTP for one, wait for its end. A broker that answers only now is one all
// the same.
func knock(conn net.Conn, err error) error {
	var head [4]byte
	_ = conn.SetDeadline(time.Now().Add(OpenTimeout / 10))
	if _, e := conn.Write([]byte("\r\n\r\n")); e != nil {
		return err
	}
	if _, e := io.ReadFull(conn, head[:]); e != nil {
		return err
	}
	if plausible(head) {
		return nil
	}
	return &foreignError{head}
}

// plausible tells whether an answer of a broker may begin like that: with its size.
func plausible(head [4]byte) bool {
	size := binary.BigEndian.Uint32(head[:])
	return size >= 4 && size <= maxProbe
}

// speaksTLS tells whether a port that closes plain connections answers a handshake, with whatever certificate.
func speaksTLS(ctx context.Context, cfg Config, addr string) bool {
	conn, err := cfg.dial(ctx, "tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) // nothing is sent through it
	return err == nil || strings.Contains(err.Error(), "remote error: tls:")
}

// stranger classifies answers that no Kafka broker gives to a plain request.
func stranger(cfg Config, addr string, err error) *Error {
	var foreign *foreignError
	switch {
	case errors.As(err, &foreign) && foreign.tls():
		return secured(addr, err)
	case errors.As(err, &foreign) && foreign.http():
		return &Error{Class: Protocol, Addr: addr, Err: err, Hint: "an HTTP server answers there: is it the port of another service?"}
	case errors.As(err, &foreign):
		return &Error{Class: Protocol, Addr: addr, Err: err, Hint: "check host and port"}
	case hungUp(err) && cfg.TLS == nil:
		return &Error{Class: Unreachable, Addr: addr, Err: err, Hint: "the connection is closed at once: the broker may be starting or stopping, or the port is not one for clients"}
	case unanswered(err):
		return &Error{Class: Unreachable, Addr: addr, Err: err, Hint: "something takes the connection and never answers: is it a broker, and does the port speak plain text?"}
	}
	return nil
}

// secured is the error of a port that speaks TLS, and was spoken to plainly.
func secured(addr string, err error) *Error {
	return &Error{Class: TLS, Addr: addr, Err: err, Hint: "the port closes plain connections and speaks TLS: write kafka+tls:// instead of kafka://"}
}

// foreignError is an answer that is not of Kafka's protocol.
type foreignError struct{ head [4]byte }

func (e *foreignError) http() bool { return string(e.head[:]) == "HTTP" }

// tls: an alert record.
func (e *foreignError) tls() bool     { return e.head[0] == 0x15 && e.head[1] == 3 }
func (e *foreignError) Error() string { return fmt.Sprintf("the answer begins with %q", e.head[:]) }

// brokenOff is the error of an answer that began as a broker's does.
type brokenOff struct{ err error }

func (e *brokenOff) Error() string { return "the answer breaks off: " + e.err.Error() }
func (e *brokenOff) Unwrap() error { return e.err }

// roundTrip sends one request over a connection of our own and reads the answer into resp, which may be nil.
func roundTrip(conn net.Conn, req kmsg.Request, resp kmsg.Response) error {
	const correlation = 1
	text := kmsg.NewRequestFormatter(kmsg.FormatterClientID("faust")).AppendRequest(nil, req, correlation)
	if _, err := conn.Write(text); err != nil {
		return err
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	if !plausible(head) {
		return &foreignError{head}
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		return &brokenOff{err}
	}
	if binary.BigEndian.Uint32(body) != correlation {
		return &foreignError{head}
	}
	if resp == nil {
		return nil
	}
	resp.SetVersion(req.GetVersion())
	return resp.ReadFrom(body[4:])
}

// clusterID asks the broker at the other end of conn for the id of its cluster.
func clusterID(conn net.Conn) (string, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.SetVersion(4)
	req.Topics = []kmsg.MetadataRequestTopic{}
	resp := kmsg.NewPtrMetadataResponse()
	if err := roundTrip(conn, req, resp); err != nil {
		return "", err
	}
	if resp.ClusterID == nil {
		return "", nil
	}
	return *resp.ClusterID, nil
}
