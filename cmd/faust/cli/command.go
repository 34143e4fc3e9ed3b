package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"faust/runtime/app"
	"faust/runtime/worker"
)

// runCommand runs a command of the app: it connects on the first message and consumes nothing.
func (s *session) runCommand(ctx context.Context, c *app.Command, in app.Input) error {
	code := 0
	err := s.linked(ctx, func(ctx context.Context, _ *worker.Client) (err error) {
		code, err = c.Run(ctx, in)
		return err
	})
	if err == nil && code != 0 {
		err = &app.Exit{Code: code}
	}
	return err
}

// linked runs f with a client that connects when it is needed, until a signal ends ctx. In a console it is the console's.
func (s *session) linked(ctx context.Context, f func(ctx context.Context, client *worker.Client) error) error {
	if s.client != nil {
		return f(ctx, s.client)
	}
	declared := s.app.script.App
	logger, done, err := s.openLogger(declared.Settings)
	if err != nil {
		return err
	}
	defer done()
	source := s.newSource(declared.Settings, logger)
	defer source.close()
	lua := machine{s.app.script.VM}
	ctx, signals, stopListening := s.listen(ctx, lua.Dump, lua.pending)
	defer stopListening()
	client := worker.NewClient(worker.Config{App: declared, Broker: source.find, Machine: lua, Logger: logger})
	p := &progress{session: s, log: logger, client: client, begun: time.Now()}
	s.command.Store(p)
	if s.screen != nil {
		var status follower
		status.start(p)
		defer status.stop()
	}
	err = client.Run(ctx, func(ctx context.Context) error { return f(ctx, client) })
	return ended(err, signals)
}

// quoted keeps a text that is no file, for the excerpts of errors about it. line is where it stands in what name means, from 1.
func (s *session) quoted(name, text string, line int) {
	if s.texts == nil {
		s.texts = map[string]string{}
	}
	s.texts[name] = strings.Repeat("\n", line-1) + text
}

// source gives the text that an excerpt is of.
func (s *session) source(file string) (string, bool) {
	if text, ok := s.texts[file]; ok {
		return text, true
	}
	b, err := os.ReadFile(file)
	return string(b), err == nil
}
