package cli

import (
	"context"

	"faust/runtime/app"
	"faust/runtime/worker"
)

// runCommand runs a command of the app: it connects on the first message and consumes nothing.
func (s *session) runCommand(ctx context.Context, c *app.Command, in app.Input) error {
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
	code := 0
	err = client.Run(ctx, func(ctx context.Context) (err error) {
		code, err = c.Run(ctx, in)
		return err
	})
	if err == nil && code != 0 {
		err = &app.Exit{Code: code}
	}
	return ended(err, signals)
}
