package cli

import (
	"errors"
	"strings"

	"faust/luabind/fault"
)

// scriptFaults is what a worker needs to know of errors of the script. It implements worker.Faults.
type scriptFaults struct{ hidden *fault.Secrets }

// Group gives place and message of an error.
func (f scriptFaults) Group(err error) (place, message string) {
	var lua *fault.Error
	if errors.As(err, &lua) {
		return lua.Place.String(), f.hidden.Redact(lua.Message)
	}
	return "", f.hidden.Redact(err.Error())
}

// Draw draws an error without colours.
func (f scriptFaults) Draw(err error) (text string, fields map[string]any) {
	var lua *fault.Error
	if !errors.As(err, &lua) {
		return "error: " + f.hidden.Redact(err.Error()), nil
	}
	var b strings.Builder
	fault.Render(&b, lua, fault.RenderConfig{Secrets: f.hidden})
	for _, n := range lua.Notes {
		if fields == nil {
			fields = map[string]any{}
		}
		fields[n.Label] = f.hidden.Redact(n.Text)
	}
	return strings.TrimRight(b.String(), "\n"), fields
}
