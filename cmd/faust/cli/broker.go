package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/broker"
)

// brokerIdle is how long a broker that somebody started for himself stays after its last client left.
const brokerIdle = 10 * time.Second

func (s *session) brokerCommand() builtin {
	var port int
	var detached bool
	return builtin{
		group: running, use: "broker", short: "Run the embedded broker in the foreground.", plain: true,
		flags: func(set *pflag.FlagSet) {
			set.IntVar(&port, "port", 0, "port `N` to listen on; without it 9092 or the next free one")
			set.BoolVar(&detached, "detached", false, "end some seconds after the last client left")
			set.Lookup("detached").Hidden = true
		},
		run: func(ctx context.Context, _ []string) error {
			if port < 0 || port > 65535 {
				return usagef("--port cannot be '%d': expected a port from 0 to 65535", port)
			}
			return s.runBroker(ctx, port, detached)
		},
	}
}

// runBroker serves until a signal, or, detached, until nobody needs it any more.
func (s *session) runBroker(ctx context.Context, port int, detached bool) error {
	settings, err := s.settings()
	if err != nil {
		return err
	}
	logger, done, err := s.openLogger(settings)
	if err != nil {
		return err
	}
	defer done()
	cfg := broker.ServerConfig{Dir: settings.Datadir, Port: port, Strict: port != 0, Logger: logger}
	if detached {
		cfg.Idle = brokerIdle
	}
	ctx, _, stopListening := s.listen(ctx, nil, nil)
	defer stopListening()
	server, err := broker.OpenServer(cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Stdout, "embedded broker on %s, data in %s (development)\n", server.Addr(), shown(cfg.Dir))
	return server.Run(ctx)
}

// source finds the broker that the settings name.
type source struct {
	session  *session
	settings *app.Settings
	logger   *slog.Logger
	found    atomic.Bool // the embedded broker has been found once

	mu     sync.Mutex
	inside *inside // the broker of this process, once it runs
}

// inside is an embedded broker in this process.
type inside struct {
	server *broker.Server
	cancel context.CancelFunc
	done   chan error
}

func (s *session) newSource(settings *app.Settings, logger *slog.Logger) *source {
	return &source{session: s, settings: settings, logger: logger}
}

// find gives the configuration of the broker in force. The embedded one is started if it does not run.
func (b *source) find(ctx context.Context) (broker.Config, error) {
	return b.choose(ctx, b.embedded, b.open)
}

// look is find that starts nothing.
func (b *source) look(ctx context.Context) (broker.Config, error) {
	running := func(ctx context.Context) (broker.Config, error) { return broker.Look(ctx, b.settings.Datadir) }
	return b.choose(ctx, running, running)
}

// choose gives the configuration of the broker that the settings name: embedded is a process of its own, inside one in the worker's.
func (b *source) choose(ctx context.Context, embedded, inside func(context.Context) (broker.Config, error)) (broker.Config, error) {
	set := b.settings
	_, given := set.Origin("broker")
	switch set.Broker {
	case "", "embedded:":
		if why := b.session.env.production(); why != "" && !given {
			err := usagef("no broker is set, and %s", why)
			err.hint = "set FAUST_BROKER_URL=kafka://host:9092, or --broker; the embedded broker only with --broker embedded:"
			return broker.Config{}, err
		}
		return embedded(ctx)
	case "embedded:inprocess":
		return inside(ctx)
	}
	cfg, err := broker.Parse(set.Broker, broker.Credentials{
		User: set.BrokerUser, Password: set.BrokerPassword, CA: set.BrokerCA, Cert: set.BrokerCert, Key: set.BrokerKey,
	})
	return cfg, b.explain(err)
}

func (b *source) embedded(ctx context.Context) (broker.Config, error) {
	cfg, err := broker.Find(ctx, b.settings.Datadir, b.start)
	b.found.Store(err == nil)
	return cfg, err
}

// start launches the embedded broker. One that has to be started again went away under a running worker or command.
func (b *source) start(dir string) (<-chan struct{}, error) {
	if b.found.Load() {
		b.logger.Warn("the embedded broker is gone, starting it again", "dir", dir)
	}
	return b.session.startBroker(dir)
}

// explain says where a broker URL came from that cannot be read.
func (b *source) explain(err error) error {
	if err == nil {
		return nil
	}
	origin, _ := b.settings.Origin("broker")
	problem := usagef("%s: %s", origin, err)
	var unknown *broker.UnknownOption
	if errors.As(err, &unknown) {
		if best := fault.Suggest(unknown.Name, unknown.Known); best != "" {
			problem.hint = fmt.Sprintf("did you mean '%s'?", best)
		}
	}
	return problem
}

// open starts the embedded broker inside this process, once.
func (b *source) open(ctx context.Context) (broker.Config, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inside == nil {
		server, err := broker.OpenServer(broker.ServerConfig{Dir: b.settings.Datadir, Logger: b.logger})
		if err != nil {
			return broker.Config{}, err
		}
		run, cancel := context.WithCancel(context.WithoutCancel(ctx))
		b.inside = &inside{server, cancel, make(chan error, 1)}
		go func() { b.inside.done <- server.Run(run) }()
	}
	return b.inside.server.Config(), nil
}

// close ends the broker inside this process, if there is one.
func (b *source) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inside == nil {
		return
	}
	b.inside.cancel()
	if err := <-b.inside.done; err != nil {
		b.logger.Error("broker inside the worker", "err", err)
	}
	b.inside = nil
}

// startBroker starts `faust broker` as a process of its own that outlives this one. Its output goes to broker.log. The channel is closed when it has ended.
func (s *session) startBroker(dir string) (<-chan struct{}, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the program for the broker: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(broker.LogFile(dir), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the broker's log: %w", err)
	}
	defer log.Close()
	command := exec.Command(program, "broker", "--detached", "--datadir", abs, "--loglevel", "info", "--log-format", "text")
	command.Dir = abs // so that it holds no other folder
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("starting the broker: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var exit *exec.ExitError
		if err := command.Wait(); err != nil && !errors.As(err, &exit) {
			slog.Debug("broker process", "err", err)
		}
	}()
	return ended, nil
}
