package tests

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const shop = `
local Order = app.record('Order', { id = 'int', note = 'string?' })
local orders = app.topic('orders', { value = Order, partitions = 1 })
`

// brokerOf ends the embedded broker of a folder with the test.
func brokerOf(t *testing.T, dir string) {
	t.Cleanup(func() { endBroker(filepath.Join(dir, ".faust")) })
}

func faust(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("faust", args...)
	cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GORACE=" + os.Getenv("GORACE")}
	return cmd
}

// Somebody who looks gets lines for people, and ends them with ^C.
func TestTerminalTail(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, shop)
	brokerOf(t, dir)
	term := onTerminal(t, dir, 200, nil, "run", "app.lua", "tail", "orders")
	term.waitFor(t, "waiting for it")
	for _, args := range [][]string{{`{"id":1,"note":"\u001b[31m"}`, "--key", "u1"}, {"null", "--key", "u2"}, {`{"id":"x"}`, "--as", "json"}} {
		if out, err := faust(t, dir, append([]string{"run", "app.lua", "send", "orders"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	term.waitFor(t, `expected an int`)
	term.press(t, "\x03")
	term.ends(t, 0)
	shown := term.text()
	for _, want := range []string{
		`0@0  "u1"  Order{ id=1, note="\027[31m" }` + "\n", `0@1  "u2"  null` + "\n",
		`0@2  null  undecodable (not an Order: 'id' is the string "x", expected an int (a whole number of at most 64 bits)): {"id":"x"}` + "\n",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "\x1b[31m") {
		t.Errorf("what a message has reaches the terminal: %q", shown)
	}
}

// What nobody reads any more ends, even if no message comes.
func TestTailIntoClosedPipe(t *testing.T) {
	t.Parallel()
	dir, _ := script(t, shop)
	brokerOf(t, dir)
	send := faust(t, dir, "run", "app.lua", "send", "orders", "--as", "json")
	var lines strings.Builder
	for i := range 5 {
		fmt.Fprintf(&lines, "{\"id\":%d}\n", i)
	}
	send.Stdin = strings.NewReader(lines.String())
	if out, err := send.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tail := faust(t, dir, "run", "app.lua", "tail", "orders", "--from", "start")
	out, err := tail.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs strings.Builder
	tail.Stderr = &errs
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, `"id":0`) {
		t.Errorf("%q, %v", line, err)
	}
	out.Close()
	late := time.AfterFunc(patience, func() { _ = tail.Process.Kill() })
	defer late.Stop()
	if err := tail.Wait(); err != nil || errs.String() != "" {
		t.Errorf("%v, said %q", err, errs.String())
	}
}
