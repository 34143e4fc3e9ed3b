package control

import (
	"net"
	"net/url"
	"testing"
)

// A name that nobody knows is told as that, without what asked whom for it.
func TestUnknownHost(t *testing.T) {
	t.Parallel()
	failed := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "shop", Server: "10.0.0.53:53", IsNotFound: true}}
	want := "worker at http://shop: the host name is not known"
	if err := (&Client{where: "worker at http://shop"}).broken(t.Context(), &url.Error{Op: "Get", URL: "http://shop", Err: failed}); err.Error() != want {
		t.Errorf("%s, want %s", err, want)
	}
}
