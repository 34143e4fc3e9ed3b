package tests

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"faust/tests/drive"
)

// The manual is true: what a page shows is run in a folder of its own, in the order of the page.
//
//   - A block `lua NAME` is a file of that name, which has to load; one without a name is loaded and forgotten.
//   - A block `console` is what somebody types and sees: a command after "$ ", which ends with exit code 0 unless the block is `console fails`, or with " &"
//     runs on, and the lines that it prints, in this order and among others; … stands for anything. ^C stops what runs on. A command that only looks, and curl, are given
//     again until they print that: a reader takes longer to type than a worker to work.
//   - A block `console worker` shows what the command that runs on prints meanwhile.
//
// Other blocks are looked at by nobody.
func TestManual(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(drive.Root(), "docs", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	for _, file := range append(files, filepath.Join(drive.Root(), "README.md")) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".md"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := &manual{t: t, file: filepath.Base(file), dir: filepath.Join(t.TempDir(), "app"), port: fmt.Sprint(drive.Port(t))}
			m.env = []string{"FAUST_WEB_PORT=" + m.port, "PATH=" + filepath.Dir(drive.Binary(t)) + ":" + os.Getenv("PATH"), "FAUST_DATADIR=" + filepath.Join(m.dir, ".faust"), "FAUST_SESSION_TIMEOUT=2m"}
			if err := os.Mkdir(m.dir, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { endBrokers(m.dir) }) // which may still write where the folder is being removed
			for _, b := range blocks(string(text)) {
				m.show(b)
			}
		})
	}
}

// block is a fenced block of a page.
type block struct {
	info  string
	line  int
	lines []string
}

// blocks gives the fenced blocks of Markdown.
func blocks(text string) []block {
	var list []block
	var open *block
	for i, line := range strings.Split(text, "\n") {
		switch {
		case open != nil && strings.TrimSpace(line) == "```":
			list = append(list, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		case strings.HasPrefix(line, "```"):
			open = &block{info: strings.TrimPrefix(line, "```"), line: i + 1}
		}
	}
	return list
}

// manual is one page being run.
type manual struct {
	t       *testing.T
	file    string
	dir     string
	port    string
	env     []string
	running *drive.Process
}

func (m *manual) show(b block) {
	m.t.Helper()
	language, name, _ := strings.Cut(b.info, " ")
	switch {
	case language == "lua":
		m.lua(b, name)
	case language == "console" && name == "worker":
		m.worker(b).expect(m.running, b.lines)
	case language == "console":
		m.console(b)
	}
}

// worker makes sure that something runs on.
func (m *manual) worker(b block) *manual {
	if m.running == nil {
		m.t.Fatalf("%s:%d: nothing runs", m.file, b.line)
	}
	return m
}

// lua writes a file and sees whether it loads.
func (m *manual) lua(b block, name string) {
	m.t.Helper()
	forget := name == ""
	if forget {
		name = fmt.Sprintf("line-%d.lua", b.line)
	}
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(b.lines, "\n")+"\n"), 0o644); err != nil {
		m.t.Fatal(err)
	}
	p := drive.Start(m.t, m.dir, m.env, "run", name, "agents")
	if code := p.Exit(drive.Patience); code != 0 {
		m.t.Fatalf("%s:%d: the file is loaded with exit code %d\n%s", m.file, b.line, code, p.Output())
	}
	if forget {
		os.Remove(path)
	}
}

func (m *manual) console(b block) {
	m.t.Helper()
	for i := 0; i < len(b.lines); i++ {
		line := b.lines[i]
		command, typed := strings.CutPrefix(line, "$ ")
		switch {
		case line == "^C":
			m.worker(b).running.Interrupt()
			m.running = nil
			continue
		case !typed:
			continue // a comment, or another terminal's name
		}
		var want []string
		for i+1 < len(b.lines) && !strings.HasPrefix(b.lines[i+1], "$ ") && b.lines[i+1] != "^C" {
			i++
			want = append(want, b.lines[i])
		}
		m.command(fmt.Sprintf("%s:%d: %s", m.file, b.line+i, command), command, want, b.info == "console fails")
	}
}

// command runs one line and compares what it prints.
func (m *manual) command(where, command string, want []string, fails bool) {
	m.t.Helper()
	command = strings.ReplaceAll(command, ":6066", ":"+m.port)
	if args, background := strings.CutSuffix(command, " &"); background {
		m.running = drive.Start(m.t, m.dir, m.env, strings.Fields(strings.TrimPrefix(args, "faust "))...)
		m.expect(m.running, want)
		return
	}
	if strings.HasPrefix(command, "curl ") {
		m.curl(where, command, want)
		return
	}
	run := func() (bool, string) {
		shell := exec.Command("bash", "-c", command)
		shell.Dir, shell.Env = m.dir, append(drive.Environ(), m.env...)
		text, err := shell.CombinedOutput()
		out := string(text)
		if (err != nil) != fails {
			return false, fmt.Sprintf("%v\n%s", err, out)
		}
		missing := absentLine(out, want)
		return missing == "", fmt.Sprintf("not printed: %s\nbut:\n%s", missing, out)
	}
	if looks.MatchString(command) {
		drive.Until(m.t, where, run)
	} else if ok, saw := run(); !ok {
		m.t.Fatalf("%s\n%s", where, saw)
	}
}

// looks matches commands that change nothing and show what workers are doing.
var looks = regexp.MustCompile(`^faust run \S+ (dlq (list|show)|get|scan|tail|tables|status)\b`)

// curl asks until the answer is what the page shows.
func (m *manual) curl(where, command string, want []string) {
	m.t.Helper()
	method, body, url := http.MethodGet, "", ""
	words := shellWords(command)[1:]
	for i := 0; i < len(words); i++ {
		switch {
		case words[i] == "-d" && i+1 < len(words):
			i++
			body, method = words[i], http.MethodPost
		case words[i] == "-X" && i+1 < len(words):
			i++
			method = words[i]
		case !strings.HasPrefix(words[i], "-"):
			url = words[i]
		}
	}
	if !strings.Contains(url, "://") {
		url = "http://" + url
	}
	drive.Until(m.t, where, func() (bool, string) {
		r, err := http.NewRequestWithContext(m.t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			m.t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return false, err.Error()
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return err == nil && absentLine(string(text), want) == "", string(text)
	})
}

// shellWords splits a command at spaces outside of single quotes.
func shellWords(command string) []string {
	var words []string
	for i, part := range strings.Split(command, "'") {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

// expect waits until the process prints the lines.
func (m *manual) expect(p *drive.Process, want []string) {
	m.t.Helper()
	drive.Until(m.t, m.file, func() (bool, string) {
		missing := absentLine(p.Output(), want)
		return missing == "", "missing: " + missing + "\n" + p.Output()
	})
}

// absentLine gives the first line of want that is not among the lines of out, after those before it; "" if all are.
func absentLine(out string, want []string) string {
	lines := strings.Split(out, "\n")
	for _, w := range want {
		if strings.TrimSpace(w) == "" || strings.TrimSpace(w) == "…" {
			continue
		}
		like := lineLike(w)
		found := false
		for len(lines) > 0 && !found {
			found = like.MatchString(lines[0])
			lines = lines[1:]
		}
		if !found {
			return w
		}
	}
	return ""
}

// lineLike matches a line that a page shows, however it is spaced.
func lineLike(shown string) *regexp.Regexp {
	var parts []string
	for _, part := range strings.Split(shown, "…") {
		var words []string
		for _, w := range strings.Fields(part) {
			words = append(words, regexp.QuoteMeta(w))
		}
		parts = append(parts, strings.Join(words, `\s+`))
	}
	return regexp.MustCompile(`^\s*` + strings.Join(parts, `\s*.*\s*`) + `\s*$`)
}
