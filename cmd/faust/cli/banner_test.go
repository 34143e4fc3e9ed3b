package cli

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"

	"faust/runtime/agent"
	"faust/runtime/app"
	"faust/runtime/web"
	"faust/runtime/worker"
)

func TestBannerFitsTheTerminal(t *testing.T) {
	t.Parallel()
	rows := []row{{"id", "hello (version 1)"}, {"transport", strings.Repeat("kafka://host:9092,", 20)}, {"lua", "häll.lua: 1 task"}}
	for _, columns := range []int{30, 43, 44, 60, 80, 200} {
		var b bytes.Buffer
		drawBanner(&b, rows, columns)
		lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
		wide := utf8.RuneCountInString(lines[0])
		for _, l := range lines {
			n := utf8.RuneCountInString(l)
			if n > columns {
				t.Errorf("%d columns: a line of %d: %s", columns, n, l)
			}
			if columns >= 44 && n != wide {
				t.Errorf("%d columns: ragged: %s", columns, b.String())
			}
		}
		if !strings.Contains(lines[0], "ƒaµS† v"+Version) || !strings.Contains(b.String(), "hello (version 1)") {
			t.Errorf("%d columns: %s", columns, b.String())
		}
	}
}

func TestBannerRows(t *testing.T) {
	t.Parallel()
	settings, err := app.Resolve(app.LayerOf("--x", map[string]string{"id": "shop", "version": "2", "loglevel": "info", "broker_password": "hunter2"}))
	if err != nil {
		t.Fatal(err)
	}
	a := &app.App{
		File: "shop.lua", Settings: settings, Agents: []*agent.Definition{{}, {}}, Pages: []*web.Page{{}},
		Timers: []*app.Timer{{Spec: "* * * * *"}, {Every: 1}},
	}
	rows := bannerRows(a, worker.Info{Transport: "none (no topics)"})
	var b bytes.Buffer
	h := newLogHandler(logConfig{w: &b, format: "text", levels: newLogLevels(app.LogLevels{Level: "error"})})
	if err := h.Handle(context.WithValue(t.Context(), whateverLevel{}, true), bannerRecord(rows)); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{`id="shop (version 2)"`, `transport="none (no topics)"`, "web=off", `log="-stderr- (info)"`, "datadir=./.faust", `store="./.faust/shop-v2`, `lua="shop.lua: 2 agents, 1 timer, 1 crontab, 1 page"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if strings.Count(got, "\n") != 1 || strings.Contains(got, "hunter2") {
		t.Errorf("got %q", got)
	}
	if slog.LevelInfo >= levelOf("error") {
		t.Error("the banner would be shown by its level")
	}
}
