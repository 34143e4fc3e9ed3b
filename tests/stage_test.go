package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"faust/tests/drive"
)

// patience is how long a story waits for something that should happen.
const patience = drive.Patience

type stageKey struct{}

// stage is what one story has running.
type stage struct {
	dir       string
	mu        sync.Mutex
	processes map[string]*process
	after     func() // when all have ended; may be nil
}

// process is a command that a story started. Its output goes to NAME.out and NAME.err.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func onStage(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// exitsWith is `code N command args...`: the command ends with the exit code N.
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// start is `start NAME command args...`: the command runs on.
func start(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME command args...")
	}
	path := args[1]
	if !strings.Contains(path, "/") {
		found, err := lookPath(ts, path)
		ts.Check(err)
		path = found
	}
	cmd := exec.Command(path, args[2:]...)
	cmd.Args[0] = args[1]
	cmd.Dir = ts.MkAbs(".")
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "GOCOVERDIR", "GORACE", "EXAMPLES", "FAUST_ENV"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	cmd.Env = append(cmd.Env, "FAUST_SESSION_TIMEOUT=2m") // a worker that does not get to run for a while is none that died, and nothing it did is done again
	for _, name := range strings.Fields(ts.Getenv("PASS")) {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := os.Create(ts.MkAbs(args[0] + ".out"))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs(args[0] + ".err"))
	ts.Check(err)
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	ts.Check(cmd.Start())
	p := &process{cmd, make(chan struct{})}
	go func() {
		_ = cmd.Wait() // ends judges the exit code
		close(p.done)
	}()
	s := onStage(ts)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes[args[0]] = p
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not in PATH", name)
}

func (s *stage) find(ts *testscript.TestScript, name string) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.processes[name]
	if !ok {
		ts.Fatalf("nothing was started as %s", name)
	}
	return p
}

// send is `signal NAME INT`.
func send(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: signal NAME INT|TERM|KILL|USR1")
	}
	sig, ok := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "USR1": syscall.SIGUSR1}[args[1]]
	if !ok {
		ts.Fatalf("unknown signal %s", args[1])
	}
	ts.Check(onStage(ts).find(ts, args[0]).cmd.Process.Signal(sig))
}

// ends is `ends NAME N`: the process ends, with exit code N. -1: by a signal.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ends NAME N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	p := onStage(ts).find(ts, args[0])
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s does not end\n%s", args[0], outputs(ts, args[0]))
	}
	if got := p.cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("%s: exit code %d, not %d\n%s", args[0], got, want, outputs(ts, args[0]))
	}
}

func outputs(ts *testscript.TestScript, name string) string {
	var b strings.Builder
	for _, file := range []string{name + ".out", name + ".err"} {
		text, err := os.ReadFile(ts.MkAbs(file))
		if err == nil {
			fmt.Fprintf(&b, "[%s]\n%s\n", file, text)
		}
	}
	return b.String()
}

// waitFor is `waitfor FILE regexp`: the file comes to have it.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor FILE regexp")
	}
	pattern, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	name, _, _ := strings.Cut(args[0], ".") // of worker.out and worker.err
	s := onStage(ts)
	found := func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && pattern.Match(text)
	}
	until(func() bool { return found() || s.over(name) })
	if !found() {
		ts.Fatalf("%s never has %s\n%s", args[0], args[1], outputs(ts, name))
	}
}

// over tells whether a process that was started has ended, so that nothing more will come from it.
func (s *stage) over(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.processes[name]
	if !ok {
		return false
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// until asks again and again, for as long as patience lasts.
func until(ok func() bool) bool {
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok() {
			return true
		}
		select {
		case <-tick.C:
		case <-deadline:
			return ok()
		}
	}
}

// ports is `ports NAME...`: sets each variable to a port that is free now.
func ports(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		port, err := drive.FreePort()
		ts.Check(err)
		ts.Setenv(name, strconv.Itoa(port))
	}
}

// count is `count N FILE regexp`: so many lines of the file match.
func count(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: count N FILE regexp")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	pattern := regexp.MustCompile(args[2])
	got := 0
	for _, line := range strings.Split(ts.ReadFile(args[1]), "\n") {
		if pattern.MatchString(line) {
			got++
		}
	}
	if got != want {
		ts.Fatalf("%d lines of %s match %s, not %d\n%s", got, args[1], args[2], want, ts.ReadFile(args[1]))
	}
}

// absent is `absent FILE text...`: the file (stdout and stderr: of the last command) has none of the texts; ESC is the escape character.
func absent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: absent FILE text...")
	}
	text := ts.ReadFile(args[0])
	for _, part := range args[1:] {
		if strings.Contains(text, strings.ReplaceAll(part, "ESC", "\x1b")) {
			ts.Fatalf("%s has %q:\n%s", args[0], part, text)
		}
	}
}

// golden is `golden FILE WANT`: both are equal line by line, but for space at line ends. $WORK stands for the story's folder.
func golden(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: golden FILE WANT")
	}
	clean := func(file string) string {
		lines := strings.Split(strings.ReplaceAll(ts.ReadFile(file), ts.Getenv("WORK"), "$WORK"), "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		return strings.Trim(strings.Join(lines, "\n"), "\n")
	}
	got, want := clean(args[0]), clean(args[1])
	switch {
	case got == want:
	case os.Getenv("UPDATE") != "":
		ts.Check(rewrite(filepath.Join("testdata", ts.Name()+".txtar"), args[1], got))
	default:
		ts.Fatalf("got\n%s\n\nnot\n%s", got, want)
	}
}

// rewrite replaces a file of a story.
func rewrite(story, name, text string) error {
	a, err := txtar.ParseFile(story)
	if err != nil {
		return err
	}
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text + "\n")
			return os.WriteFile(story, txtar.Format(a), 0o644)
		}
	}
	return fmt.Errorf("%s has no file %s", story, name)
}

// everything is `everything FILE... N`: each of the lines "got 1" to "got N" comes to be in one of the files at least.
func everything(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: everything FILE... N")
	}
	files := args[:len(args)-1]
	last, err := strconv.Atoi(args[len(args)-1])
	ts.Check(err)
	var missing []string
	complete := until(func() bool {
		var all strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(ts.MkAbs(file))
			if err != nil {
				return false
			}
			all.Write(append(text, '\n'))
		}
		missing = nil
		for i := 1; i <= last; i++ {
			if line := fmt.Sprintf("got %d\n", i); !strings.Contains(all.String(), line) {
				missing = append(missing, line)
			}
		}
		return missing == nil
	})
	if !complete {
		ts.Fatalf("missing: %v", missing)
	}
}

// matched is `matched FILE regexp OTHER template`: for every match in the first file a line like the template comes to be in the other one.
func matched(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: matched FILE regexp OTHER template")
	}
	pattern, text := regexp.MustCompile("(?m)"+args[1]), ts.ReadFile(args[0])
	found := pattern.FindAllStringSubmatchIndex(text, -1)
	if len(found) == 0 {
		ts.Fatalf("nothing in %s matches %s", args[0], args[1])
	}
	var missing []string
	complete := until(func() bool {
		other, err := os.ReadFile(ts.MkAbs(args[2]))
		lines := strings.Split(string(other), "\n")
		missing = nil
		for _, m := range found {
			if line := string(pattern.ExpandString(nil, args[3], text, m)); !slices.Contains(lines, line) {
				missing = append(missing, line)
			}
		}
		return err == nil && missing == nil
	})
	if !complete {
		ts.Fatalf("missing: %q", missing)
	}
	ts.Logf("%d lines", len(found))
}

// clear ends what the story left running, its embedded brokers too.
func (s *stage) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.processes {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.done
	}
	endBrokers(s.dir)
	if s.after != nil {
		s.after()
	}
}

// endBrokers ends the embedded brokers of all data directories below a folder.
func endBrokers(dir string) {
	_ = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == "broker.lock" {
			endBroker(filepath.Dir(path))
		}
		return nil
	})
}

// endBroker ends the embedded broker of a data directory and waits until nothing is written there any more: it holds its lock until then.
func endBroker(dir string) {
	until(func() bool {
		f, err := os.Open(filepath.Join(dir, "broker.lock"))
		if err != nil {
			return true
		}
		defer f.Close()
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return true
		}
		if pid := brokerProcess(filepath.Join(dir, "broker.json")); pid != 0 { // else it is about to begin, or to end
			_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended meanwhile
		}
		return false
	})
}

// brokerProcess reads the process from a broker.json; 0: there is none.
func brokerProcess(path string) int {
	var state struct{ PID int }
	text, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(text, &state) != nil || state.PID <= 1 {
		return 0
	}
	return state.PID
}

// killBroker is `killbroker DIR`: the embedded broker of a data directory gets SIGKILL.
func killBroker(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: killbroker DIR")
	}
	pid := brokerProcess(filepath.Join(ts.MkAbs(args[0]), "broker.json"))
	if pid == 0 {
		ts.Fatalf("no broker in %s", args[0])
	}
	ts.Check(syscall.Kill(pid, syscall.SIGKILL))
}
