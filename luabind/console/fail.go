package console

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"faust/luabind/fault"
	"faust/runtime/control"
)

// failed makes a result of an error.
func (e *evaluation) failed(err error) control.Result {
	r := control.Result{Failed: true, Stopped: e.ctx.Err() != nil}
	var b strings.Builder
	fault.Render(&b, e.told(err), fault.RenderConfig{Color: e.in.Color, Source: e.source})
	r.Text = strings.TrimRight(b.String(), "\n")
	return r
}

// told says why a line ended that was ended, and leaves out the place where it is all that was typed.
func (e *evaluation) told(err error) error {
	var one *fault.Error
	var list fault.List
	if !errors.As(err, &one) || errors.As(err, &list) {
		return err
	}
	shown := *one
	switch {
	case errors.Is(one, errRunaway):
		shown.Message = fmt.Sprintf("stopped: it held the machine for %s without waiting, and nothing else could run", e.cfg.Limit)
		shown.Hints = []string{"let a long computation wait now and then: time.sleep(0)"}
	case one.Code == fault.Cancelled && e.ctx.Err() != nil:
		shown.Message, shown.Hints = "stopped", nil
		if one.Place.File == e.input.name {
			shown.Place, shown.Trace = fault.Place{}, nil
		}
	}
	if p := one.Place; p.File == e.input.name && p.Line == 1 && len(one.Marks) == 0 {
		line := strings.TrimRight(e.in.Text, " \t\r\n;")
		if p.Column == 1 && p.EndColumn > len(line) {
			shown.Place = fault.Place{}
		}
	}
	return &shown
}

// source gives the text of an input or a file.
func (e *evaluation) source(name string) (string, bool) {
	if name == e.input.name {
		return e.input.text, true
	}
	if text, ok := e.text(name); ok {
		return text, true
	}
	b, err := os.ReadFile(name)
	return string(b), err == nil
}
