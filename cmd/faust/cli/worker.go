package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/worker"
)

func (s *session) workerCommand() *cobra.Command {
	return &cobra.Command{Use: "worker", Short: "Start a worker.", Args: cobra.ArbitraryArgs, RunE: s.builtin(s.runWorker)}
}

// runWorker runs the app until a signal, app.stop or something fatal.
func (s *session) runWorker(ctx context.Context) error {
	if s.app == nil {
		return s.needApp("worker")
	}
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
	ctx, signals, stopListening := s.listen(ctx, func() string { return w.Dump() }, nil)
	defer stopListening()
	w = worker.New(worker.Config{
		App: declared, Broker: source.find, Machine: machine{s.app.script.VM}, Logger: logger, Render: s.pageError(),
		Events: worker.Events{
			Started: func(i worker.Info) { s.showStart(declared, i, logger) },
			Ready:   s.showReady,
			Waiting: func(what []string) { s.showWaiting(what, signals, logger) },
		},
	})
	return ended(w.Run(ctx), signals)
}

// pageError draws what a browser on this machine is shown of a page's error while the app is being developed; nil in production.
func (s *session) pageError() func(error) string {
	if s.env.production() != "" {
		return nil
	}
	return func(err error) string {
		var b strings.Builder
		fault.Render(&b, err, fault.RenderConfig{})
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
	// Whatever the level: it is the banner.
	_ = logger.Handler().Handle(context.Background(), bannerRecord(rows))
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
