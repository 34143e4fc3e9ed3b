package cli

import (
	"context"
	"fmt"

	"faust/luabind/fault"
	"faust/runtime/control"
)

// workers gives the workers of the app that run with the data directory, until leave is called. That there is none is an error; hint says what they are needed for.
func (s *session) workers(ctx context.Context, hint string) (list []*control.Client, leave func(), err error) {
	settings := s.app.script.App.Settings
	list, err = control.Workers(ctx, settings.Datadir, settings.GroupID())
	leave = func() {
		for _, w := range list {
			w.Close()
		}
	}
	switch {
	case len(list) > 0:
		return list, leave, nil
	case err == nil:
		err = &fault.Error{Code: fault.Connection, Message: fmt.Sprintf("no worker of %s runs with this data directory", settings.GroupID()), Hints: []string{hint}}
	}
	return nil, nil, err
}
