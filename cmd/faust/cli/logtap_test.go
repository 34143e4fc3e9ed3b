package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/control"
)

// Who follows the log of another process, or its last errors, is told no secret.
func TestFollowedLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	hidden := &fault.Secrets{}
	hidden.Add("hunter22")
	tap := &logTap{hidden: hidden}
	log := slog.New(tap.handler(newLogHandler(logConfig{w: &bytes.Buffer{}, format: "json", levels: newLogLevels(app.LogLevels{Level: "warn"})})))
	var text string
	stop, err := tap.follow("info", func(l control.Line) { text += l.Text })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	failed := &fault.Error{Message: "about hunter22", Notes: []fault.Note{{Label: "value", Text: "has hunter22"}}}
	log.With("first", "hunter22").Error("the answer was hunter22", "field", "hunter22", "err", failed)
	faults := scriptFaults{hidden}
	_, message := faults.Group(failed)
	drawn, fields := faults.Draw(failed)
	_, plain := faults.Group(errors.New("plain hunter22"))
	other, _ := faults.Draw(errors.New("plain hunter22"))
	for what, got := range map[string]string{"log": text, "message": message, "drawn": drawn, "field": fmt.Sprint(fields), "plain": plain, "other": other} {
		if strings.Contains(got, "hunter22") || !strings.Contains(got, "***") {
			t.Errorf("%s: %q", what, got)
		}
	}
}

func TestLogIsFollowed(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	tap := &logTap{}
	h := tap.handler(newLogHandler(logConfig{w: &written, format: "json", levels: newLogLevels(app.LogLevels{Level: "warn"})}))
	log := slog.New(h).With("app", "shop").WithGroup("g").With("agent", "a")
	log.Info("before")
	if log.Enabled(t.Context(), slog.LevelInfo) {
		t.Error("lines are made for nobody")
	}
	var debug, info []control.Line
	stopDebug, err := tap.follow("debug", func(l control.Line) { debug = append(debug, l) })
	if err != nil {
		t.Fatal(err)
	}
	stopInfo, err := tap.follow("info", func(l control.Line) { info = append(info, l) })
	if err != nil {
		t.Fatal(err)
	}
	log.Debug("small", "n", 1)
	log.Info("middle")
	stopDebug()
	log.Debug("unheard")
	log.Error("event failed", "err", scriptError())
	stopInfo()
	log.Error("after")
	texts := func(lines []control.Line) (list []string) {
		for _, l := range lines {
			if l.Time.IsZero() || time.Since(l.Time) > time.Hour {
				t.Errorf("%+v", l)
			}
			first, _, _ := strings.Cut(l.Text, "\n")
			list = append(list, l.Level+": "+first)
		}
		return list
	}
	if diff := cmp.Diff([]string{"debug: DEBUG small app=shop g.agent=a g.n=1", "info: INFO  middle app=shop g.agent=a"}, texts(debug)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"info: INFO  middle app=shop g.agent=a", "error: ERROR event failed app=shop g.agent=a"}, texts(info)); diff != "" {
		t.Error(diff)
	}
	if last := info[1].Text; !strings.Contains(last, "\nerror: ") || strings.HasSuffix(last, "\n") {
		t.Errorf("the error is not drawn: %q", last)
	}
	if n := strings.Count(written.String(), "\n"); n != 2 || strings.Contains(written.String(), "middle") {
		t.Errorf("the worker's own log: %s", written.String())
	}
	if _, err := tap.follow("loud", nil); !errors.Is(err, control.ErrUnknown) {
		t.Error(err)
	}
	// the banner is handed over whatever the level
	if err := h.Handle(context.WithValue(t.Context(), whateverLevel{}, true), slog.NewRecord(time.Now(), slog.LevelInfo, "worker starting", 0)); err != nil || !strings.Contains(written.String(), "worker starting") {
		t.Errorf("no banner: %v %s", err, written.String())
	}
}
