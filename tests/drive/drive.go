// Package drive runs the real command as processes in tests: it builds the binary once, starts workers and commands, reads what they print as it comes,
// and asks their pages. Nothing in it sleeps: it waits for output or for an answer, with a deadline.
package drive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for something that should come soon.
const Patience = 30 * time.Second

var built atomic.Pointer[string] // the folder of the binary

var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "faust-test-")
	if err != nil {
		return "", err
	}
	built.Store(&dir)
	binary := filepath.Join(dir, "faust")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/faust")
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
})

// Binary gives the path of the command, built once per test process.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Clean removes what Binary built; for TestMain, after the tests.
func Clean() {
	if dir := built.Load(); dir != nil {
		os.RemoveAll(*dir)
	}
}

// Root is the repository's top folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Process is a running command.
type Process struct {
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{}
	err  error

	mu     sync.Mutex
	out    bytes.Buffer // stdout and stderr, as they came
	more   chan struct{}
	marked int
}

// Start runs the command in dir. It is killed at the end of the test if it still runs; its output is logged if the test failed.
func Start(t testing.TB, dir string, env []string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(Binary(t), args...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = (*sink)(p), (*sink)(p)
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("faust %s:\n%s", strings.Join(args, " "), p.Output())
		}
	})
	return p
}

// Run runs a command to its end and gives what it printed; the test fails if its exit code is not 0.
func Run(t testing.TB, dir string, env []string, args ...string) string {
	t.Helper()
	p := Start(t, dir, env, args...)
	if code := p.Exit(2 * Patience); code != 0 {
		t.Fatalf("faust %s: exit code %d\n%s", strings.Join(args, " "), code, p.Output())
	}
	return p.Output()
}

type sink Process

func (s *sink) Write(b []byte) (int, error) {
	p := (*Process)(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.Write(b)
	close(p.more)
	p.more = make(chan struct{})
	return len(b), nil
}

// Output is what the process has printed so far.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// WaitFor waits until the process prints text, after what earlier calls found, and gives the rest of that line.
func (p *Process) WaitFor(text string) string {
	p.t.Helper()
	deadline := time.After(Patience)
	for {
		p.mu.Lock()
		all, more := p.out.String(), p.more
		at := strings.Index(all[p.marked:], text)
		if at >= 0 {
			end := p.marked + at + len(text)
			p.marked = end
			p.mu.Unlock()
			line, _, _ := strings.Cut(all[end:], "\n")
			return line
		}
		p.mu.Unlock()
		select {
		case <-more:
		case <-p.done:
			if !strings.Contains(p.Output()[p.marked:], text) {
				p.t.Fatalf("the process ended (%v) without printing %q:\n%s", p.err, text, p.Output())
			}
		case <-deadline:
			p.t.Fatalf("%q was not printed:\n%s", text, p.Output())
		}
	}
}

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) {
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Logf("signal %v: %v", s, err)
	}
}

// Kill ends the process by SIGKILL and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// Exit waits for the end and gives the exit code, -1 for a death by signal.
func (p *Process) Exit(patience time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("still running after %s:\n%s", patience, p.Output())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Interrupt stops a worker as ^C does and expects a graceful end.
func (p *Process) Interrupt() {
	p.t.Helper()
	p.Signal(os.Interrupt)
	if code := p.Exit(Patience); code != 0 {
		p.t.Errorf("exit code %d after an interrupt:\n%s", code, p.Output())
	}
}

// Port gives a port that was free a moment ago.
func Port(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Get asks a page once and gives status and body; status 0: nobody answered.
func Get(url string) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

// Until asks again and again until ok says yes, or fails the test with what it saw last.
func Until(t testing.TB, what string, ok func() (bool, string)) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(Patience)
	for {
		yes, saw := ok()
		if yes {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %s; last seen: %s", what, Patience, saw)
		}
	}
}
