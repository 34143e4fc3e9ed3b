package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Class is why a broker cannot be used; each has its own message and hint.
type Class string

// The classes.
const (
	Name          Class = "name"    // the host name is not known
	Refused       Class = "refused" // nobody listens
	Unreachable   Class = "timeout" // no answer
	TLS           Class = "tls"
	SASL          Class = "sasl"
	Authorization Class = "authorization"
	MissingTopic  Class = "topic"
	Protocol      Class = "protocol" // something answers that is not Kafka
	Embedded      Class = "embedded" // the embedded broker of a directory cannot be had
)

// ErrRebalanced is wrapped by the error of a commit that came too late: the partition belongs, or may belong, to another member.
var ErrRebalanced = errors.New("the group was rebalanced")

// ErrClosed is given by a group or client that was closed.
var ErrClosed = errors.New("closed")

// Error is a classified error. Exit code 4.
type Error struct {
	Class Class
	Addr  string // or the topic, or the group
	Hint  string
	Err   error
}

func (e *Error) Error() string {
	what := map[Class]string{
		Name:          "the host name is not known",
		Refused:       "connection refused, nobody listens there",
		Unreachable:   "no answer",
		TLS:           "no secure connection",
		SASL:          "the broker refused the login",
		Authorization: "not allowed",
		MissingTopic:  "there is no such topic",
		Protocol:      "what answers there is not a Kafka broker",
	}[e.Class]
	kind := "broker"
	if e.Class == Embedded {
		return fmt.Sprintf("embedded broker of %s: %s", e.Addr, e.Err)
	}
	if e.Class == MissingTopic || e.Class == Authorization {
		kind = "kafka"
	}
	if e.Err == nil || e.Class == Refused { // that says it all
		return fmt.Sprintf("%s %s: %s", kind, e.Addr, what)
	}
	return fmt.Sprintf("%s %s: %s: %s", kind, e.Addr, what, clean(e.Err))
}

func (e *Error) Unwrap() error { return e.Err }

// clean shortens what the Kafka and network libraries say to the part that tells something.
func clean(err error) string {
	var k *kerr.Error
	if errors.As(err, &k) {
		return strings.ToLower(k.Description)
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}

// handshakeError marks an error of the TLS handshake.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "tls: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// classify makes an *Error of an error of connecting to addr. secure: TLS is configured. It gives nil for what is not about reaching the broker.
func classify(addr string, secure bool, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	e := &Error{Addr: addr, Err: err}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && !dns.IsTimeout:
		e.Class, e.Hint = Name, "check the spelling of the host, and that this machine can look it up"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Class, e.Hint = Refused, "is the broker running, and is the port right? (Kafka's default is 9092)"
	case e.tls(secure):
	case e.refusal():
	case unanswered(err):
		e.Class, e.Hint = Unreachable, "a firewall or a wrong address usually is the cause; a broker answers within a second"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.As(err, new(*net.OpError)), hungUp(err):
		e.Class, e.Hint = Unreachable, "check the address and the network between this machine and the broker"
	default:
		return nil
	}
	return e
}

// login reads a connection that the broker closes after it had told what requests it knows: it is the sign of a login that is missing, or that it
// does not explain.
func (e *Error) login(cfg Config) *Error {
	if !hungUp(e.Err) {
		return e
	}
	e.Class, e.Hint = SASL, "the broker closes the connection at the login: check user, password and mechanism (sasl=plain, scram-sha-256 or scram-sha-512)"
	e.Err = errors.New("the broker closed the connection")
	if cfg.SASL == "" {
		e.Hint = "the broker closes the connection at the first request: it probably wants a user and a password (kafka://user:password@host)"
	}
	return e
}

func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func unanswered(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// tls recognises a failed handshake and a connection of which only one side speaks TLS.
func (e *Error) tls(secure bool) bool {
	var (
		shake    *handshakeError
		record   tls.RecordHeaderError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
	)
	remote := strings.Contains(e.Err.Error(), "remote error: tls:")
	if !errors.As(e.Err, &shake) && !(secure && remote) {
		return false
	}
	e.Class = TLS
	switch {
	case errors.As(e.Err, &unknown):
		e.Hint = "the broker's certificate is signed by an authority that is not known here: give its file with ca=/path (broker_ca)"
	case errors.As(e.Err, &hostname):
		e.Hint = "the certificate is for other names: use one of them as the host"
	case errors.As(e.Err, &invalid):
		e.Hint = "the broker's certificate is not valid (expired, or not for servers)"
	case remote:
		e.Hint = "the broker wants a client certificate: give it with cert= and key= (broker_cert, broker_key)"
	case errors.As(e.Err, &record), hungUp(e.Err), unanswered(e.Err):
		e.Hint = "the port seems to speak plain text: write kafka:// instead of kafka+tls://, or use the broker's TLS port"
	default:
		e.Hint = "check the TLS settings of the broker and ca, cert and key here"
	}
	return true
}

// refusal recognises what a broker says about logins and rights.
func (e *Error) refusal() bool {
	switch {
	case errors.Is(e.Err, kerr.SaslAuthenticationFailed), errors.Is(e.Err, kerr.IllegalSaslState):
		e.Class, e.Hint = SASL, "check user and password, and that the user exists for this mechanism (sasl=plain, scram-sha-256 or scram-sha-512)"
	case errors.Is(e.Err, kerr.UnsupportedSaslMechanism):
		e.Class, e.Hint = SASL, "the broker does not offer this mechanism: choose another with sasl=plain, scram-sha-256 or scram-sha-512"
	case !errors.As(e.Err, new(*kgo.ErrFirstReadEOF)) && (strings.Contains(e.Err.Error(), "SASL") || strings.Contains(e.Err.Error(), "scram")):
		e.Class, e.Hint = SASL, "check user, password and mechanism (sasl=plain, scram-sha-256 or scram-sha-512)"
	case errors.Is(e.Err, kerr.TopicAuthorizationFailed), errors.Is(e.Err, kerr.GroupAuthorizationFailed),
		errors.Is(e.Err, kerr.ClusterAuthorizationFailed), errors.Is(e.Err, kerr.TransactionalIDAuthorizationFailed), errors.Is(e.Err, kerr.PolicyViolation):
		e.Class, e.Hint = Authorization, "the broker's access rules do not allow this user to do it"
	default:
		return false
	}
	return true
}
