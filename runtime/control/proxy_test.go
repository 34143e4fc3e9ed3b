package control

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"testing"
)

// TestNoProxy runs this test's program again with a proxy in the environment, which is read only once: a proxy would be given the token of the workers.
func TestNoProxy(t *testing.T) {
	const again = "CONTROL_TEST_PROXY"
	if os.Getenv(again) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestNoProxy$")
		cmd.Env = append(os.Environ(), again+"=1", "HTTP_PROXY=http://proxy.example:3128", "http_proxy=http://proxy.example:3128", "NO_PROXY=", "no_proxy=")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	var asked string
	enough := errors.New("enough")
	_, err := DialHTTP(t.Context(), "http://worker.example:6066", Access{Token: "t", Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
		asked = addr
		return nil, enough
	}})
	if asked != "worker.example:6066" || !errors.Is(err, enough) {
		t.Errorf("asked %s: %v", asked, err)
	}
}
