// Package drive runs the real command as processes in tests: it builds the binary once, starts workers and commands, reads what they print as it comes,
// and asks their pages. Nothing in it sleeps: it waits for output or for an answer, with a deadline.
package drive

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for something that should come soon. It is a limit for machines that are slow and busy; who waits for what comes pays nothing for it.
const Patience = 3 * time.Minute

// built is the folder of the binaries, and what is in it.
var built struct {
	sync.Mutex
	dir      string
	programs map[string]string
}

// Binary gives the path of the command, built once per test process.
func Binary(t testing.TB) string {
	t.Helper()
	return Program(t, "./cmd/faust")
}

// Program gives the path of a main package's binary, built once per test process.
func Program(t testing.TB, pkg string) string {
	t.Helper()
	path, err := build(pkg)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func build(pkg string) (path string, err error) {
	built.Lock()
	defer built.Unlock()
	if path, ok := built.programs[pkg]; ok {
		return path, nil
	}
	if built.dir == "" {
		if built.dir, err = os.MkdirTemp("", "faust-test-"); err != nil {
			return "", err
		}
		built.programs = map[string]string{}
	}
	path = filepath.Join(built.dir, filepath.Base(pkg))
	// As what is given away is built; with one profile for all, so that packages are compiled once.
	cmd := exec.Command("go", "build", "-trimpath", "-pgo="+filepath.Join(Root(), "cmd/faust/default.pgo"), "-o", path, pkg)
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	built.programs[pkg] = path
	return path, nil
}

// Clean removes what was built; for TestMain, after the tests.
func Clean() {
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
}

// Root is the repository's top folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// Environ is the environment of this process without what changes how the command behaves: settings somebody has for his own apps, and that this is Kubernetes.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "FAUST_") || strings.HasPrefix(entry, "KUBERNETES_")
	})
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
	return StartProgram(t, Binary(t), dir, env, args...)
}

// StartProgram is Start for a binary that Program gave.
func StartProgram(t testing.TB, path, dir string, env []string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(path, args...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = (*sink)(p), (*sink)(p)
	p.cmd.WaitDelay = Patience // not less: what it wrote last is dropped if this process is not given the time to read it
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
			t.Logf("%s %s:\n%s", filepath.Base(path), strings.Join(args, " "), p.Output())
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

// Ended tells whether it has ended, and with which exit code.
func (p *Process) Ended() (code int, yes bool) {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode(), true
	default:
		return 0, false
	}
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

// firstPort and lastPort are around the ports that Port gives: below those that the system hands out by itself, so that no connection of a client gets one of them meanwhile.
const firstPort = 11_000

var lastPort = sync.OnceValue(func() int {
	const usual = 20_000
	text, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range") // other systems have none
	var own int
	if _, err := fmt.Sscan(string(text), &own); err != nil || own < firstPort+1000 {
		return usual
	}
	return min(own, usual)
})

// given are the ports that Port gave, as long as this process lives: each is held as a port of UDP, which takes nothing away from who listens with TCP.
var given struct {
	sync.Mutex
	held []net.PacketConn
}

// Port gives a port that is free, to nobody else of all the test processes on this machine.
func Port(t testing.TB) int {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Closed is an address where nobody listens.
func Closed(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Port(t))
}

// FreePort is Port for who has no test at hand.
func FreePort() (int, error) {
	var err error
	for range 1000 {
		port := firstPort + rand.IntN(lastPort()-firstPort)
		if err = take(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port: %w", err)
}

// take makes sure of a port, if it is free.
func take(port int) error {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	hold, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		hold.Close()
		return err
	}
	l.Close()
	given.Lock()
	defer given.Unlock()
	given.held = append(given.held, hold)
	return nil
}

// Get asks a page once and gives status and body; status 0: nobody answered.
func Get(url string) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
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
