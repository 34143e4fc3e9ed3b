package tests

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal with a command on its other side.
type terminal struct {
	cmd    *exec.Cmd
	master *os.File
	before uint32 // the terminal's mode before the command began

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
	term := &terminal{cmd: cmd, master: master, closed: make(chan struct{})}
	term.before = term.mode(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
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
	for _, want := range []string{"┌ƒaµS† v", "│ id         │ hello (version 1)", "│ transport  │ none (no topics)", "starting ➢ ready in ", "APP STARTED\n", "\x1b[31m"} {
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

// Help is as wide as the terminal and has colours there.
func TestTerminalHelp(t *testing.T) {
	t.Parallel()
	for _, columns := range []uint16{50, 120} {
		term := onTerminal(t, t.TempDir(), columns, nil, "help", "app.topic")
		term.ends(t, 0)
		shown := term.text()
		if !strings.Contains(shown, "\x1b[1mapp.topic\x1b[0m") || strings.Contains(shown, "=====") {
			t.Errorf("no heading in colour in\n%s", shown)
		}
		narrow := strings.Contains(shown, "A topic that does not exist is created when a\n")
		if narrow != (columns == 50) {
			t.Errorf("on %d columns:\n%s", columns, shown)
		}
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

// Who declines is told that nothing was done, as is what called the command.
func TestTerminalDecline(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, "app.configure { id = 'shop' }\nlocal t = app.table('t')\napp.agent(app.topic('orders'), function(stream) for o in stream do t.k = o end end)\n")
	slot := filepath.Join(dir, ".faust", "shop", "0")
	if err := errors.Join(os.MkdirAll(filepath.Join(slot, "tables"), 0o700), os.WriteFile(filepath.Join(slot, "lock"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	term := onTerminal(t, dir, 80, nil, "run", "app.lua", "reset", "--local")
	term.waitFor(t, "Delete this for good? [y/N]")
	term.press(t, "n\n")
	term.waitFor(t, "error: nothing was done")
	term.ends(t, 1)
}

func TestTerminalStop(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, `
app.configure { grace = '1h' }
local jobs = app.channel()
app.agent('cleaner', jobs, function(stream)
  for job in stream do print 'begun' time.sleep '1h' end
end)
app.task(function() jobs:put('a job') end)
`)
	term := onTerminal(t, dir, 80, nil, "run", "app.lua", "worker", "-p", "0")
	term.waitFor(t, "begun")
	term.waitFor(t, "? for keys")
	term.press(t, "\x03")
	term.waitFor(t, "stopping ➢ waiting for agent cleaner")
	term.waitFor(t, "^C again to abort")
	term.press(t, "\x03")
	term.ends(t, 130)
	if shown := term.text(); !regexp.MustCompile(`\r\x1b\[2Kstopped at once; was waiting for agent cleaner.*\n$`).MatchString(shown) {
		t.Errorf("got\n%s", shown)
	}
	if mode := term.mode(t); mode != term.before {
		t.Errorf("the terminal's mode was %x and is %x", term.before, mode)
	}
}

// resize changes the size of the terminal, of which its foreground process hears.
func (term *terminal) resize(t *testing.T, columns uint16) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(term.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: columns}); err != nil {
		t.Fatal(err)
	}
}

// mode is how the terminal treats what is typed: lines or keys, shown or not.
func (term *terminal) mode(t *testing.T) uint32 {
	t.Helper()
	flags, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return flags.Lflag
}

// waitAfter waits until text is shown after the first from bytes.
func (term *terminal) waitAfter(t *testing.T, from int, text string) {
	t.Helper()
	shown := func() bool { return strings.Contains(term.text()[from:], text) }
	until(func() bool { return shown() || term.over() })
	if !shown() {
		t.Fatalf("never shows %q after\n%s\nbut\n%s", text, term.text()[:from], term.text()[from:])
	}
}

// waitForStatus waits until the last line is a status that has text in it and fits into so many columns.
func (term *terminal) waitForStatus(t *testing.T, columns int, text string) {
	t.Helper()
	last := ""
	shown := func() bool {
		all := term.text()
		last = all[strings.LastIndexAny(all, "\n\r")+1:]
		return strings.HasPrefix(last, "\x1b[2K▸ ") && strings.Contains(last, text) && utf8.RuneCountInString(unstyled(last)) < columns
	}
	if until(func() bool { return shown() || term.over() }); !shown() {
		t.Fatalf("the status line never has %q in less than %d columns, but %q:\n%s", text, columns, last, term.text())
	}
}

// tooWide gives the lines that are wider than the terminal, as it would show them.
func tooWide(text string, columns int) (wide []string) {
	for _, line := range strings.Split(text, "\n") {
		for _, drawn := range strings.Split(line, "\r\x1b[2K") {
			if utf8.RuneCountInString(unstyled(drawn)) > columns {
				wide = append(wide, drawn)
			}
		}
	}
	return wide
}

const statusScript = `
app.configure { id = 'shop', topic_partitions = 1, session_timeout = '2m' }
local orders = app.topic('orders')
app.agent('collector_of_orders_with_a_long_name', orders, function(stream)
  for order in stream do error('an order that nobody can work on, for a reason of some length') end
end)
app.task({ name = 'sleeper' }, function() orders:send { value = 1 } time.sleep '1h' end)
`

// The status line of a worker, its keys, and another size of the terminal in between.
func TestTerminalStatusLine(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, statusScript)
	term := onTerminal(t, dir, 100, nil, "run", "app.lua", "worker", "-p", "0", "--broker", "embedded:inprocess")
	term.waitFor(t, "┌ƒaµS† v")
	term.waitFor(t, "starting ➢ ready in ")
	term.waitForStatus(t, 100, "errors 1 ")
	term.waitForStatus(t, 100, "? for keys")
	if term.mode(t)&(unix.ICANON|unix.ECHO) != 0 {
		t.Error("the terminal gives lines, or shows what is typed")
	}
	term.resize(t, 40)
	term.waitForStatus(t, 40, "errors 1")
	narrow := len(term.text())
	term.press(t, "?")
	for _, c := range []struct{ key, want string }{
		{"", "  a  agents: rate, lag, errors\n"}, {"", "  ?  this help\n"}, {"a", "collector_of_orders_with_a_long_name\n"}, {"", "  failed: 1\n"},
		{"t", "sleeper\n"}, {"", "  state: waiting for"}, {"e", "  error: app.lua:5:26: an order that\n"}, {"", "    nobody can work on, for a reason of\n"}, {"l", "log level info\n"}, {"x", "▸ "},
	} {
		term.press(t, c.key)
		term.waitAfter(t, narrow, c.want)
	}
	if wide := tooWide(term.text()[narrow:], 40); wide != nil {
		t.Errorf("wider than 40 columns: %q", wide)
	}
	term.press(t, "\x03")
	term.ends(t, 0)
	shown := term.text()
	if !strings.Contains(shown, "stopped after 00:0") || strings.HasSuffix(shown, "▸ stopping") {
		t.Errorf("the end is\n%q", shown[narrow:])
	}
	if end := shown[strings.Index(shown, "log level"):]; strings.Contains(end, "^C") || strings.Contains(end, "x") {
		t.Errorf("keys are shown: %q", end)
	}
	if mode := term.mode(t); mode != term.before {
		t.Errorf("the terminal's mode was %x and is %x", term.before, mode)
	}
}

// The key q ends a worker as ^C does.
func TestTerminalQuit(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, "app.configure { id = 'quiet' }\napp.task(function() time.sleep '1h' end)\n")
	term := onTerminal(t, dir, 80, nil, "run", "app.lua", "worker", "-p", "0")
	term.waitFor(t, "▸ 0 msg/s")
	term.press(t, "q")
	term.ends(t, 0)
	if mode := term.mode(t); mode != term.before {
		t.Errorf("the terminal's mode was %x and is %x", term.before, mode)
	}
}

// unstyled is what a terminal shows without what it obeys.
func unstyled(text string) string {
	return regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]|\r`).ReplaceAllString(text, "")
}

// waitForPrompt waits until the console reads keys: what is pressed before goes through the terminal's own editing, which keeps ^D and ^R to itself.
func (term *terminal) waitForPrompt(t *testing.T) {
	t.Helper()
	reads := func() bool {
		all := unstyled(term.text())
		return all[strings.LastIndexByte(all, '\n')+1:] == ">> "
	}
	if until(func() bool { return reads() || term.over() }); !reads() {
		t.Fatalf("shows no prompt at the end of\n%s", term.text())
	}
}

func TestTerminalConsoleWithoutColors(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, "local orders = app.topic('orders')\n")
	term := onTerminal(t, dir, 40, []string{"NO_COLOR=1"}, "run", "app.lua", "repl")
	term.waitFor(t, "^D leaves")
	term.press(t, "for x = 1, '2' do print(x) end\r")
	term.waitFor(t, "2\n")
	term.waitForPrompt(t)
	term.press(t, "for\t\t")
	term.press(t, "\x15ordrs\r")
	term.waitFor(t, "did you mean 'orders'?")
	term.waitForPrompt(t)
	term.press(t, "\x04")
	term.ends(t, 0)
	if shown := term.text(); regexp.MustCompile(`\x1b\[[0-9;]*m`).MatchString(shown) {
		t.Errorf("colours in %q", shown)
	}
}

func TestTerminalConsole(t *testing.T) {
	t.Parallel()
	for _, columns := range []uint16{80, 40} {
		t.Run(strconv.Itoa(int(columns)), func(t *testing.T) {
			t.Parallel()
			dir, _ := script(t, "app.configure { id = 'shop' }\nlocal orders = app.topic('orders')\nfunction spin() print 'spinning' while true do end end\n")
			term := onTerminal(t, dir, columns, nil, "run", "app.lua", "repl")
			term.waitFor(t, "^D leaves")
			term.press(t, "ord\t") // completed
			term.waitFor(t, "orders")
			term.press(t, "\r")
			term.waitFor(t, "<topic orders>")
			term.press(t, "\x1b[200~for i = 1, 2 do\n  print('row ' .. i)\nend\x1b[201~\r") // pasted as one block
			term.waitFor(t, "row 1\nrow 2\n")
			term.waitForPrompt(t)
			term.press(t, "x = 'äß日本'\r")
			term.press(t, "x\r")
			term.waitFor(t, `"äß日本"`)
			term.waitForPrompt(t)
			term.press(t, "spin()\r")
			term.waitFor(t, "spinning\n")
			term.press(t, "\x03")
			term.waitFor(t, ": stopped")
			term.waitForPrompt(t)
			term.press(t, "\x12row") // the whole block comes back
			term.waitFor(t, "(search 'row') ")
			term.press(t, "\r")
			until(func() bool { return strings.Count(term.text(), "row 1\nrow 2\n") == 2 || term.over() })
			term.waitForPrompt(t)
			term.press(t, "\x04")
			term.ends(t, 0)
			if n := strings.Count(term.text(), "row 1\nrow 2\n"); n != 2 {
				t.Errorf("the block ran %d times:\n%s", n, unstyled(term.text()))
			}
		})
	}
}

// The program that edits an input has the terminal.
func TestTerminalEditor(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, "app.configure { id = 'shop' }\n")
	editor := filepath.Join(dir, "editor")
	if err := os.WriteFile(editor, []byte("#!/bin/sh\ntest -t 0 && test -t 1 && echo '6 * 7' > \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	term := onTerminal(t, dir, 80, []string{"NO_COLOR=1", "EDITOR=" + editor}, "run", "app.lua", "repl")
	term.waitForPrompt(t)
	term.press(t, "\x18\x05") // C-x C-e
	term.waitFor(t, "6 * 7")
	term.press(t, "\r")
	term.waitFor(t, "42\n")
	term.press(t, "\x04")
	term.ends(t, 0)
}

// Who agrees to forget what there is does not agree to forget what comes meanwhile.
func TestTerminalDrop(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, "app.configure { id = 'shop', topic_partitions = 1 }\n"+
		"app.agent('fail', app.topic('orders'), function(stream) for o in stream do error(o) end end)\n")
	brokerOf(t, dir)
	run := func(args ...string) string {
		out, err := faust(t, dir, append([]string{"run", "app.lua"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	worker := faust(t, dir, "run", "app.lua", "worker", "-p", "0")
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(worker.Process.Signal(os.Interrupt), worker.Wait()) }() // it is only needed here
	fails := func(order string) {
		run("send", "orders", strconv.Quote(order))
		if !until(func() bool { return strings.Contains(run("dlq"), order) }) {
			t.Fatalf("%s did not fail:\n%s", order, run("dlq"))
		}
	}
	fails("first")
	term := onTerminal(t, dir, 80, nil, "run", "app.lua", "dlq", "drop", "--all")
	term.waitFor(t, "Forget 1 dead letter for good? [y/N]")
	fails("second")
	term.press(t, "y\n")
	term.waitFor(t, "1 dead letter dropped")
	term.ends(t, 0)
	if left := run("dlq"); strings.Contains(left, "first") || !strings.Contains(left, "second") {
		t.Errorf("left are\n%s", left)
	}
}

// A secret option is asked for without echo; ^C leaves the terminal as it was.
func TestTerminalSecret(t *testing.T) {
	t.Parallel()
	text := "app.command('login', { app.option('--token', { secret = true, required = true }) }, function(o)\n" +
		"  say(tostring(o.token), #tostring(o.token), crypto.equal(o.token, 'hunter22'))\nend)\n"
	dir, _ := script(t, text)
	for keys, want := range map[string]string{"hunter22\n": "***\t3\ttrue\n", "\n": "error: command 'login': --token is missing\n"} {
		term := onTerminal(t, dir, 80, []string{"NO_COLOR=1"}, "run", "app.lua", "login")
		term.waitFor(t, "--token: ")
		term.press(t, keys)
		term.waitFor(t, want)
		term.ends(t, map[bool]int{true: 0, false: 1}[keys != "\n"])
		if shown := term.text(); strings.Contains(shown, "hunter") {
			t.Errorf("shown: %q", shown)
		}
	}
	term := onTerminal(t, dir, 80, nil, "run", "app.lua", "login")
	term.waitFor(t, "--token: ")
	if flags, err := unix.IoctlGetTermios(int(term.master.Fd()), unix.TCGETS); err != nil || flags.Lflag&unix.ECHO != 0 {
		t.Errorf("the terminal echoes while it asks: %v", err)
	}
	term.press(t, "\x03")
	term.ends(t, 130)
	given := onTerminal(t, dir, 80, nil, "run", "app.lua", "login", "--token", "hunter22")
	given.waitFor(t, "true")
	given.ends(t, 0)
	if strings.Contains(given.text(), "--token:") {
		t.Error("asked for what was given")
	}
}
