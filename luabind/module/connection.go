package module

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"faust/luabind/fault"
)

// failed makes the error of an attempt without an answer. What another attempt may mend is retryable.
func (x *exchange) failed(ctx context.Context, err error) error {
	var own *fault.Error
	if errors.As(err, &own) {
		return own
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e := x.problem(fault.Timeout, "no answer within "+x.timeout.String())
		e.Retryable, e.Hints = true, []string{"{ timeout = '30s' } waits longer"}
		return e
	}
	what, lasting := connectionText(err)
	e := x.problem(fault.Connection, what)
	e.Retryable = !lasting
	return e
}

// connectionText says in a few words why there is no answer, and whether it will be the same next time.
func connectionText(err error) (text string, lasting bool) {
	if text := certificateText(err); text != "" {
		return text, true
	}
	var (
		name *net.DNSError
		op   *net.OpError
		sys  syscall.Errno
	)
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "the host '" + name.Name + "' is not known", false
	case errors.As(err, &name):
		return "the host '" + name.Name + "' cannot be looked up: " + name.Err, false
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server speaks http, not https", true
	case errors.As(err, &op) && op.Op == "dial" && op.Addr != nil:
		return "cannot connect to " + op.Addr.String() + ": " + inmost(op.Err), false
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &sys) && (sys == syscall.ECONNRESET || sys == syscall.EPIPE):
		return "the connection was closed before the answer was complete", false
	}
	return inmost(err), false
}

// certificateText says what is wrong with the server's certificate; "": it is not that.
func certificateText(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an unknown authority"
	case errors.As(err, &host):
		return "the server's certificate is not for this host: " + strings.TrimPrefix(host.Error(), "x509: ")
	case errors.As(err, &invalid):
		return "the server's certificate is not valid: " + strings.TrimPrefix(invalid.Error(), "x509: ")
	case errors.As(err, &record):
		return "the server does not speak https"
	}
	return ""
}

// inmost gives the text of the error that has no further cause, without the names of Go's packages. A URL's error is left out: it shows the URL.
func inmost(err error) string {
	var (
		u   *url.Error
		op  *net.OpError
		sys syscall.Errno
	)
	switch {
	case errors.As(err, &sys):
		return sys.Error()
	case errors.As(err, &op):
		err = op.Err
	case errors.As(err, &u):
		err = u.Err
	}
	text := err.Error()
	for _, prefix := range []string{"net/http: ", "http: ", "http2: ", "tls: ", "net/url: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
