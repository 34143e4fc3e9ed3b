package tests

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal with a command on its other side.
type terminal struct {
	cmd    *exec.Cmd
	master *os.File
	mu     sync.Mutex
	seen   strings.Builder
	closed chan struct{}
}

// onTerminal runs the command in dir, with columns columns.
func onTerminal(t *testing.T, dir string, columns uint16, env []string, args ...string) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile("/dev/pts/"+strconv.Itoa(int(n)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: columns}); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("faust", args...)
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=xterm", "GORACE=" + os.Getenv("GORACE")}, env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	term := &terminal{cmd: cmd, master: master, closed: make(chan struct{})}
	go term.read()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		master.Close()
		<-term.closed
	})
	return term
}

func (term *terminal) read() {
	defer close(term.closed)
	buf := make([]byte, 4096)
	for {
		n, err := term.master.Read(buf)
		term.mu.Lock()
		term.seen.Write(buf[:n])
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (term *terminal) text() string {
	term.mu.Lock()
	defer term.mu.Unlock()
	return strings.ReplaceAll(term.seen.String(), "\r\n", "\n")
}

func (term *terminal) waitFor(t *testing.T, text string) {
	t.Helper()
	until(func() bool { return strings.Contains(term.text(), text) || term.over() })
	if !strings.Contains(term.text(), text) {
		t.Fatalf("never shows %q:\n%s", text, term.text())
	}
}

// over tells whether nobody is on the other side any more.
func (term *terminal) over() bool {
	select {
	case <-term.closed:
		return true
	default:
		return false
	}
}

func (term *terminal) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(term.master, keys); err != nil {
		t.Fatal(err)
	}
}

func (term *terminal) ends(t *testing.T, code int) {
	t.Helper()
	late := time.AfterFunc(patience, func() { _ = term.cmd.Process.Kill() })
	defer late.Stop()
	err := term.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	<-term.closed // everything it wrote is read
	if got := term.cmd.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit code %d, not %d:\n%s", got, code, term.text())
	}
}

func script(t *testing.T, text string) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, "app.lua")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

func TestTerminalBanner(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, "app.configure { id = 'hello' }\napp.task(function() print 'APP STARTED' error 'boom' end)\n")
	term := onTerminal(t, dir, 60, nil, "run", "app.lua", "worker", "-p", "0")
	term.waitFor(t, "boom")
	term.press(t, "\x03")
	term.ends(t, 0)
	shown := term.text()
	for _, want := range []string{"┌ƒaµS† v", "│ id         │ hello (version 1)", "│ transport  │ none (no topics)", "starting ➢ ready in 0.", "APP STARTED\n", "\x1b[31m"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
}

func TestTerminalWithoutColors(t *testing.T) {
	t.Parallel()
	for _, env := range []string{"NO_COLOR=1", "CI=true", "TERM=dumb"} {
		t.Run(env, func(t *testing.T) {
			t.Parallel()
			dir, _ := script(t, "app.task(function() error 'boom' end)\n")
			term := onTerminal(t, dir, 40, []string{env}, "run", "app.lua", "worker", "-p", "0")
			term.waitFor(t, "boom")
			term.press(t, "\x03")
			term.ends(t, 0)
			if shown := term.text(); strings.Contains(shown, "\x1b") {
				t.Errorf("escape sequences in %q", shown)
			}
		})
	}
}

func TestTerminalConfirm(t *testing.T) {
	t.Parallel()
	text := "app.command('wipe', function() if confirm 'Delete everything?' then say 'deleted' else say 'kept' end end)\n"
	for answer, want := range map[string]string{"y\n": "deleted", "\n": "kept", "what\nyes\n": "deleted"} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			dir, _ := script(t, text)
			term := onTerminal(t, dir, 80, nil, "run", "app.lua", "wipe")
			term.waitFor(t, "Delete everything? [y/N]")
			term.press(t, answer)
			term.waitFor(t, want)
			term.ends(t, 0)
		})
	}
}

func TestTerminalStop(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, `
local jobs = app.channel()
app.agent('cleaner', jobs, function(stream)
  for job in stream do print 'begun' time.sleep '1h' end
end)
app.task(function() jobs:put('a job') end)
`)
	term := onTerminal(t, dir, 80, nil, "run", "app.lua", "worker", "-p", "0")
	term.waitFor(t, "begun")
	term.press(t, "\x03")
	term.waitFor(t, "stopping ➢ waiting for agent cleaner")
	term.waitFor(t, "^C again to abort")
	term.press(t, "\x03")
	term.ends(t, 130)
	if shown := term.text(); !strings.Contains(shown, "stopped at once; was waiting for agent cleaner") {
		t.Errorf("got\n%s", shown)
	}
}
