package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"faust/luabind/fault"
	"faust/runtime/app"
)

func scriptError() *fault.Error {
	return &fault.Error{
		Code: fault.Script, Message: "cannot call 'send': withdrawal is nil", Hints: []string{"did you mean 'withdrawals'?"},
		Place: fault.Place{File: "simple.lua", Line: 65, Column: 5, EndColumn: 15},
		Notes: []fault.Note{{Label: "message", Text: "withdrawals/2 @ 10433"}},
		Trace: []fault.Frame{{Place: fault.Place{File: "simple.lua", Line: 65}, What: "in command 'produce'"}},
	}
}

func TestTextLog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(newLogHandler(logConfig{w: &b, format: "auto", levels: newLogLevels(app.LogLevels{Level: "info"}), terminal: true}))
	log.Debug("hidden")
	log.With("app", "simple").WithGroup("web").Info("page served", "path", "/a b/", "took", time.Second)
	line := b.String()
	if !strings.HasSuffix(line, ` INFO  page served app=simple web.path="/a b/" web.took=1s`+"\n") || strings.Count(line, "\n") != 1 || len(line) < 9 || line[2] != ':' {
		t.Errorf("got %q", line)
	}
}

func TestTextLogQuotesControlCharacters(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slog.New(newLogHandler(logConfig{w: &b, format: "text", levels: newLogLevels(app.LogLevels{Level: "warn"})})).Warn("odd key", "key", "a\x1b[31m\nb", "empty", "")
	if got := b.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") || !strings.Contains(got, `empty=""`) {
		t.Errorf("got %q", got)
	}
}

// What a script logs of a message neither reaches the terminal as an escape sequence nor looks like a line of its own.
func TestTextLogShowsMessagesHarmless(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(newLogHandler(logConfig{w: &b, format: "text", timeless: true, levels: newLogLevels(app.LogLevels{Level: "warn"})}))
	log.Warn("seen a\x1b[31mb\u009b31mc\u202ed\xffe\nERROR of nobody", "x\x1b\n=", 1, "y", "a\u009b1m", "z", "a\xff")
	want := `WARN  seen a\27[31mb\u009b31mc\u202ed` + "\ufffde\n  ERROR of nobody" + ` "x\x1b\n="=1 y="a\u009b1m" z="a\xff"` + "\n"
	if got := b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTextLogShowsReportsBelow(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slog.New(newLogHandler(logConfig{w: &b, format: "text", levels: newLogLevels(app.LogLevels{Level: "warn"})})).Error("where tasks stand", "dump", "app a\n  agent b\n", "after", 1)
	if got := b.String(); !strings.HasSuffix(got, "where tasks stand after=1\n  app a\n    agent b\n") {
		t.Errorf("got %q", got)
	}
}

func TestTextLogDrawsScriptErrors(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(newLogHandler(logConfig{w: &b, format: "text", levels: newLogLevels(app.LogLevels{Level: "warn"})}))
	log.Error("event failed", "agent", "a", "err", fmt.Errorf("agent: %w", scriptError()), "offset", 7)
	got := b.String()
	for _, want := range []string{"ERROR event failed agent=a offset=7\n", "error: cannot call 'send': withdrawal is nil\n", "simple.lua:65:5", "withdrawals/2 @ 10433", "did you mean 'withdrawals'?"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "\x1b") {
		t.Errorf("colours in %q", got)
	}
}

func TestTextLogColors(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slog.New(newLogHandler(logConfig{w: &b, format: "text", levels: newLogLevels(app.LogLevels{Level: "warn"}), color: true, terminal: true})).Error("x", "k", 1)
	if !strings.Contains(b.String(), "\x1b[31mERROR\x1b[0m x") {
		t.Errorf("got %q", b.String())
	}
}

func TestJSONLog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := slog.New(newLogHandler(logConfig{w: &b, format: "auto", production: true, levels: newLogLevels(app.LogLevels{Level: "warn"})}))
	log.Error("event failed", "agent", "a", "err", fmt.Errorf("agent: %w", scriptError()))
	log.With("cause", errors.New("plain")).Warn("plain")
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("got %q", b.String())
	}
	var first, second map[string]any
	if json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1]), &second) != nil {
		t.Fatalf("got %q", b.String())
	}
	for key, want := range map[string]any{
		"msg": "event failed", "agent": "a", "error.message": "cannot call 'send': withdrawal is nil", "error.file": "simple.lua",
		"error.line": 65.0, "error.column": 5.0, "error.hint": "did you mean 'withdrawals'?", "error.code": "script",
	} {
		if first[key] != want {
			t.Errorf("%s: %v, not %v", key, first[key], want)
		}
	}
	if stack, ok := first["error.stack"].([]any); !ok || len(stack) != 1 {
		t.Errorf("stack: %v", first["error.stack"])
	}
	if second["cause"] != "plain" {
		t.Errorf("got %v", second)
	}
}

func TestLogfmt(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slog.New(newLogHandler(logConfig{w: &b, format: "logfmt", levels: newLogLevels(app.LogLevels{Level: "warn"})})).Warn("event failed", "err", scriptError())
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `msg="event failed"`) || !strings.Contains(got, "error.line=65") {
		t.Errorf("got %q", got)
	}
}

func TestLateHandler(t *testing.T) {
	t.Parallel()
	var before, after bytes.Buffer
	h := &lateHandler{target: newLateTarget(newLogHandler(logConfig{w: &before, format: "text", levels: newLogLevels(app.LogLevels{Level: "warn"})}))}
	log := slog.New(h).With("k", 1).WithGroup("g")
	log.Warn("one")
	h.target.use(newLogHandler(logConfig{w: &after, format: "text", levels: newLogLevels(app.LogLevels{Level: "info"})}))
	log.Info("two", "x", 2)
	if !strings.Contains(before.String(), "one k=1") || strings.Contains(before.String(), "two") || !strings.Contains(after.String(), "two k=1 g.x=2") {
		t.Errorf("before %q, after %q", before.String(), after.String())
	}
}
