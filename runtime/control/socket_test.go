package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// serve answers on the socket of a slot until the test ends.
func serve(t *testing.T, dir string, answer http.HandlerFunc) net.Listener {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: answer}
	done := make(chan struct{})
	go func() { defer close(done); server.Serve(l) }()
	t.Cleanup(func() { server.Close(); <-done })
	return l
}

// says answers every request with a status of that app.
func says(app string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"app":"` + app + `"}`)) }
}

func TestSocketIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serve(t, dir, says("x"))
	path := filepath.Join(dir, SocketName)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

// TestStrangerCannotConnect runs this test's program again as somebody else, which only root can.
func TestStrangerCannotConnect(t *testing.T) {
	if path := os.Getenv("CONTROL_TEST_SOCKET"); path != "" {
		_, err := Dial(context.Background(), path)
		if !errors.Is(err, ErrForbidden) || !strings.Contains(err.Error(), "only the user who started it") {
			t.Fatalf("connected: %v", err)
		}
		return
	}
	t.Parallel()
	// the folders above are open to everybody: the socket's own rights have to hold
	dir := t.TempDir()
	for _, open := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	serve(t, dir, says("x"))
	path := filepath.Join(dir, SocketName)
	c, err := Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if os.Getuid() != 0 {
		return // nobody else can be asked; TestSocketIsPrivate has the mode
	}
	program := filepath.Join(dir, "test")
	text, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(program, text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestStrangerCannotConnect$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CONTROL_TEST_SOCKET="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestWorkersAreFound(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for _, slot := range []string{"shop/0", "shop/2", "shop/10", "shop-v2/0", "broker/0"} {
		serve(t, filepath.Join(data, slot), says(slot))
	}
	// what a worker that was killed leaves behind: a socket that nobody reads, and one that was not put in place yet
	for _, slot := range []string{"shop/1", "gone/0"} {
		dir := filepath.Join(data, slot)
		if err := os.MkdirAll(filepath.Join(dir, SocketName+".new"), 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, SocketName), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	for _, other := range []string{"shop/topics/x", "notes"} {
		if err := os.MkdirAll(filepath.Join(data, other), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(data, "broker.json"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	look := func(group, want string) {
		t.Helper()
		found, err := Workers(t.Context(), data, group)
		if err != nil {
			t.Error(err)
		}
		var names []string
		for _, c := range found {
			s, err := c.Status(t.Context())
			if err != nil {
				t.Error(err)
			}
			names = append(names, s.App)
			c.Close()
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %s", group, got)
		}
	}
	look("shop", "shop/0 shop/2 shop/10")
	look("shop-v2", "shop-v2/0")
	look("", "broker/0 shop/0 shop/2 shop/10 shop-v2/0")
	look("gone", "")
	look("nobody", "")
	if found, err := Workers(t.Context(), filepath.Join(data, "nowhere"), ""); err != nil || found != nil {
		t.Error(found, err)
	}
	// the next worker of the slot takes its place
	l := serve(t, filepath.Join(data, "gone/0"), says("back"))
	look("gone", "back")
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(filepath.Join(data, "gone/0")); err != nil || len(entries) != 0 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

func TestSocketElsewhere(t *testing.T) {
	t.Parallel()
	if _, err := Listen(filepath.Join(t.TempDir(), "missing")); err == nil || !strings.HasPrefix(err.Error(), "make socket ") {
		t.Error(err)
	}
	if _, err := Dial(t.Context(), filepath.Join(t.TempDir(), SocketName)); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}
