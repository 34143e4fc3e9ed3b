package module

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"faust/luabind/api"
	"faust/luabind/fault"
)

// silent is a network in which nobody answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestWhatIsDescribedAsWaitingWaits calls every function that is described as waiting so that it has to, and looks at what the machine says that it waits for.
func TestWhatIsDescribedAsWaitingWaits(t *testing.T) {
	t.Parallel()
	calls := map[string]string{"time.sleep": "'1h'", "confirm": "'sure?'", "prompt": "'name?'"}
	for _, verb := range []string{"get", "head", "post", "put", "patch", "delete", "request"} {
		calls["http."+verb] = "('http://h/x', { timeout = '1h' })"
	}
	for _, e := range api.All() {
		if _, tried := calls[e.Name]; e.Waits && e.Kind == api.Function && e.Name != "parallel" && !tried {
			t.Errorf("%s is described as waiting, and was not tried", e.Name)
		}
	}
	for name, arguments := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if e := api.Get(name); e == nil || !e.Waits {
				t.Error("it is not described as waiting")
			}
			synctest.Test(t, func(t *testing.T) { waitsIn(t, name, name+" "+arguments) })
		})
	}
}

// waitsIn runs src, which has to wait for something that begins with what.
func waitsIn(t *testing.T, what, src string) {
	in, answers := io.Pipe()
	s := newStage(t, Config{Interactive: func() bool { return true }, Stdin: in, Transport: silent{}, Hidden: &fault.Secrets{}})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := s.run(ctx, src)
		ended <- err
	}()
	synctest.Wait()
	var seen []string
	for _, state := range s.vm.Tasks() {
		seen = append(seen, state.State+" for "+state.What)
	}
	if !slices.ContainsFunc(seen, func(x string) bool { return strings.HasPrefix(x, "waiting for "+what) }) {
		t.Errorf("nothing waits for %s: %q", what, seen)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("it went on")
	}
	_ = answers.Close()
}
