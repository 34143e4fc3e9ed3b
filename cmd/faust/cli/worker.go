package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/control"
	"faust/runtime/worker"
)

// consoleLimit is how long what is typed into a running worker may hold its Lua machine without waiting: everything else stands still meanwhile.
const consoleLimit = 200 * time.Millisecond

func (s *session) workerCommand() builtin {
	return builtin{group: running, use: "worker", short: "Start a worker.", app: true, plain: true, run: s.runWorker}
}

// runWorker runs the app until a signal, app.stop or something fatal.
func (s *session) runWorker(ctx context.Context, _ []string) error {
	declared := s.app.script.App
	logger, done, err := s.openLogger(declared.Settings)
	if err != nil {
		return err
	}
	defer done()
	s.warn()
	source := s.newSource(declared.Settings, logger)
	defer source.close()
	var w *worker.Worker
	var status follower
	ctx, signals, stopListening := s.listen(ctx, func() string { return w.Dump() }, nil)
	defer stopListening()
	w = worker.New(worker.Config{
		App: declared, Broker: source.find, Machine: machine{s.app.script.VM}, Logger: logger, Render: s.pageError(),
		Program: Version, Faults: scriptFaults{s.hidden}, Log: s.tap.follow, Console: s.app.script.Console(consoleLimit, nil), Between: s.Between, CheckpointInterval: s.CheckpointInterval,
		Events: worker.Events{
			Started: func(i worker.Info) { s.showStart(declared, i, logger) },
			Ready: func(i worker.Info) {
				s.showReady(i)
				if s.screen != nil {
					status.start(&statusLine{session: s, worker: w.Control(), levels: s.levels})
				}
			},
			Waiting: func(what []string) { s.showWaiting(what, signals, logger) },
		},
	})
	err = w.Run(ctx)
	status.stop()
	s.summarize(w.Control().Status(), logger)
	return ended(err, signals)
}

// summarize says what a worker did, at its end: on a terminal in a line of its own, else in the log.
func (s *session) summarize(did control.Status, logger *slog.Logger) {
	up := time.Since(did.Started).Round(time.Second)
	if s.screen == nil {
		logger.Info("worker stopped", "app", did.App, "processed", did.Processed, "failed", did.Failed, "unsent", did.Unsent, "up", up)
		return
	}
	text := fmt.Sprintf("stopped after %s: %s processed, %s failed", clock(up), thousands(did.Processed), thousands(did.Failed))
	if did.Unsent > 0 {
		text += fmt.Sprintf(", %s sent and not stored", thousands(int64(did.Unsent)))
	}
	fmt.Fprintln(s.Stderr, text)
}

// pageError draws what a browser on this machine is shown of a page's error while the app is being developed; nil in production.
func (s *session) pageError() func(error) string {
	if s.env.production() != "" {
		return nil
	}
	return func(err error) string {
		var b strings.Builder
		fault.Render(&b, err, fault.RenderConfig{Secrets: s.hidden})
		return b.String()
	}
}

// ended is what a run gives when signals may have stopped it: a worker that finished gracefully is done.
func ended(err error, signals *interrupts) error {
	number := signals.signalled()
	var exit *app.Exit
	if err == nil || number == 0 || errors.As(err, &exit) {
		return err
	}
	var lua *fault.Error
	if errors.Is(err, context.Canceled) || errors.As(err, &lua) && lua.Code == fault.Cancelled {
		err = nil
	}
	return &signalError{number: number, err: err}
}

// warn shows what is legal in the script and probably not meant.
func (s *session) warn() {
	for _, w := range s.app.script.Warnings {
		fmt.Fprintf(s.Stderr, "warning: %s\n", w.Error())
		for _, h := range w.Hints {
			fmt.Fprintf(s.Stderr, "  = hint: %s\n", h)
		}
	}
}

// showStart shows the banner: a box on a terminal, one log line otherwise.
func (s *session) showStart(a *app.App, info worker.Info, logger *slog.Logger) {
	if s.globals.quiet {
		return
	}
	rows := bannerRows(a, info)
	if s.isTerminal(s.Stderr) {
		drawBanner(s.Stderr, rows, width(s.Stderr))
		return
	}
	_ = logger.Handler().Handle(context.WithValue(context.Background(), whateverLevel{}, true), bannerRecord(rows))
}

// showReady tells a terminal that the worker works; the log hears of it from the worker.
func (s *session) showReady(info worker.Info) {
	if s.isTerminal(s.Stderr) && !s.globals.quiet {
		fmt.Fprintf(s.Stderr, "starting ➢ ready in %.2fs\n", info.Took.Seconds())
	}
}

func (s *session) showWaiting(what []string, signals *interrupts, logger *slog.Logger) {
	signals.show(what)
	if len(what) > 0 && !s.isTerminal(s.Stderr) {
		logger.Warn("stopping, waiting", "for", fmt.Sprint(what))
	}
}
