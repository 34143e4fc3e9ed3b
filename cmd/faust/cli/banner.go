package cli

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/worker"
)

const title = "ƒaµS†"

// row is one line of the banner.
type row struct{ name, text string }

// bannerRows says what starts, where it keeps things and how it is reached.
func bannerRows(a *app.App, info worker.Info) []row {
	set := a.Settings
	web := info.Web
	if web == "" {
		web = "off"
	}
	log := fmt.Sprintf("-stderr- (%s)", set.LogLevel)
	if set.LogFile != "" {
		log = fmt.Sprintf("%s (%s)", set.LogFile, set.LogLevel)
	}
	store := filepath.Join(set.Datadir, set.GroupID(), info.Slot)
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return []row{
		{"id", fmt.Sprintf("%s (version %d)", set.ID, set.Version)},
		{"transport", info.Transport},
		{"store", shown(store) + "  (on disk)"},
		{"web", web},
		{"log", log},
		{"pid", fmt.Sprint(os.Getpid())},
		{"hostname", host},
		{"platform", fmt.Sprintf("faust %s, %s/%s", Version, runtime.GOOS, runtime.GOARCH)},
		{"datadir", shown(set.Datadir)},
		{"lua", a.File + ": " + declared(a)},
	}
}

// shown writes a path as a user would: relative to the working directory if it is below.
func shown(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, abs); err == nil && filepath.IsLocal(rel) && rel != "." {
		return "./" + rel
	}
	return abs
}

// declared counts what the script declared: 2 agents, 1 task.
func declared(a *app.App) string {
	every, cron := 0, 0
	for _, t := range a.Timers {
		if t.Spec != "" {
			cron++
		} else {
			every++
		}
	}
	var parts []string
	for _, c := range []struct {
		n    int
		name string
	}{{len(a.Agents), "agent"}, {len(a.Tasks), "task"}, {every, "timer"}, {cron, "crontab"}, {len(a.Pages), "page"}, {len(a.Commands), "command"}} {
		switch {
		case c.n == 1:
			parts = append(parts, "1 "+c.name)
		case c.n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", c.n, c.name))
		}
	}
	if len(parts) == 0 {
		return "nothing declared"
	}
	return strings.Join(parts, ", ")
}

// drawBanner draws the box, at most columns wide; on a narrow terminal lines without a box.
func drawBanner(w io.Writer, rows []row, columns int) {
	const name = 10
	longest := 0
	for _, r := range rows {
		longest = max(longest, fault.Width(r.text))
	}
	if columns < 44 {
		fmt.Fprintf(w, "%s v%s\n", title, Version)
		for _, r := range rows {
			fmt.Fprintf(w, "%-*s %s\n", name, r.name, cut(r.text, columns-name-1))
		}
		return
	}
	inner := min(max(longest, 40), columns-name-7)
	head := title + " v" + Version
	bar := strings.Repeat("─", max(0, name+2-fault.Width(head)))
	fmt.Fprintf(w, "┌%s%s┬%s┐\n", head, bar, strings.Repeat("─", inner+2))
	for _, r := range rows {
		text := cut(r.text, inner)
		fmt.Fprintf(w, "│ %-*s │ %s%s │\n", name, r.name, text, strings.Repeat(" ", inner-fault.Width(text)))
	}
	fmt.Fprintf(w, "└%s┴%s┘\n", strings.Repeat("─", name+2), strings.Repeat("─", inner+2))
}

// cut shortens a line to n columns; it ends in … then.
func cut(text string, n int) string {
	if n < 1 || fault.Width(text) <= n {
		return text
	}
	runes := []rune(text)
	return string(runes[:fitting(runes, n-1)]) + "…"
}

// bannerRecord is the banner as one log line.
func bannerRecord(rows []row) slog.Record {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "worker starting", 0)
	for _, row := range rows {
		r.AddAttrs(slog.String(row.name, row.text))
	}
	return r
}
