package cli

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"faust/runtime/app"
)

// levels takes a loglevel apart as the settings do.
func levels(t *testing.T, text string) app.LogLevels {
	t.Helper()
	s, err := app.Resolve(app.LayerOf("test", map[string]string{"loglevel": text}))
	if err != nil {
		t.Fatal(err)
	}
	return s.Levels()
}

func TestLogLevelsOfParts(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := newLogLevels(levels(t, "warn,agent=info,agent.orders=debug,kafka=error"))
	log := slog.New(newLogHandler(logConfig{w: &b, format: "text", levels: l}))
	log.Info("general")
	log.Warn("general warning")
	log.Debug("other agent, debug", "agent", "bills")
	log.Info("other agent", "agent", "bills")
	log.Debug("the agent", "agent", "orders")
	log.With("agent", "orders").Debug("the agent before", "topic", "x")
	log.Warn("of the client", "from", "kafka")
	log.Error("error of the client", "from", "kafka")
	l.general.Set(slog.LevelInfo)
	log.Info("general later")
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		_, text, _ := strings.Cut(line, " ")
		got = append(got, strings.Join(strings.Fields(text), " "))
	}
	want := []string{"WARN general warning", "INFO other agent agent=bills", "DEBUG the agent agent=orders", "DEBUG the agent before agent=orders topic=x",
		"ERROR error of the client from=kafka", "INFO general later"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// shared is a buffer that is written by timers and read by the test.
type shared struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *shared) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Reset()
}

func TestRepeatedErrorsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var b shared
		r := &repeats{}
		log := slog.New(newLogHandler(logConfig{w: &b, format: "text", levels: newLogLevels(app.LogLevels{Level: "info"}), repeats: r}))
		for i := range 313 {
			log.Error("event failed", "agent", "a", "offset", i, "err", scriptError())
		}
		log.Error("event failed", "agent", "b", "offset", 1, "err", scriptError())
		for range 3 {
			log.Info("no error")
		}
		log.Error("event failed", "agent", "a", "err", errors.New("something else"))
		if got := strings.Count(b.String(), "event failed"); got != 3 {
			t.Fatalf("%d lines of failed events before the window is over:\n%s", got, b.String())
		}
		if strings.Count(b.String(), "no error") != 3 {
			t.Errorf("lines that are no warnings are not counted:\n%s", b.String())
		}
		<-time.After(repeatWindow)
		synctest.Wait()
		if !strings.Contains(b.String(), "event failed … 312 more in 10s agent=a err=\"simple.lua:65: cannot call 'send': withdrawal is nil\"") {
			t.Errorf("got\n%s", b.String())
		}
		b.Reset()
		log.Error("event failed", "agent", "a", "err", scriptError()) // the window goes on
		r.close()
		if got := b.String(); !strings.Contains(got, "event failed … 1 more in 0s") {
			t.Errorf("at the end: %q", got)
		}
		log.Error("event failed", "agent", "a", "err", scriptError())
		if !strings.Contains(b.String(), "simple.lua:65") {
			t.Errorf("after the end every line is written: %q", b.String())
		}
	})
}
