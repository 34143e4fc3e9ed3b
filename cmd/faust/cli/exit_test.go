package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/broker"
	"faust/runtime/worker"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	lua := &fault.Error{Code: fault.Script, Message: "boom"}
	refused := &broker.Error{Class: broker.Refused, Addr: "127.0.0.1:1"}
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"done", nil, 0},
		{"the script raised", lua, 1},
		{"anything else", errors.New("x"), 1},
		{"the app's own code", &app.Exit{Code: 7}, 7},
		{"the app's own code, 0", fmt.Errorf("worker: %w", &app.Exit{Code: 0}), 0},
		{"usage", usagef("x"), 2},
		{"a wrong setting", fmt.Errorf("load: %w", &app.SettingError{Name: "grace"}), 2},
		{"load", &loadError{err: lua}, 3},
		{"no file", loadf("x"), 3},
		{"broker", fmt.Errorf("connect: %w", refused), 4},
		{"broker, noticed by the script", &fault.Error{Code: fault.Connection, Cause: refused}, 4},
		{"INT", &signalError{number: syscall.SIGINT}, 130},
		{"TERM, with an error", &signalError{number: syscall.SIGTERM, err: refused}, 143},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%s: %d, not %d", c.name, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{&app.Exit{Code: 3}, ""},
		{&usageError{message: "unknown flag '--x'", hint: "did you mean '--y'?"}, "error: unknown flag '--x'\n  = hint: did you mean '--y'?\nusage: faust run FILE\n"},
		{loadf("no such file: 'x'"), "error: no such file: 'x'\n"},
		{errors.New("x"), "error: x\n"},
		{&signalError{number: syscall.SIGINT}, ""},
		{&signalError{number: syscall.SIGINT, err: errors.New("y")}, "error: y\n"},
		{&broker.Error{Class: broker.Refused, Addr: "h:1", Hint: "start it"}, "error: broker h:1: connection refused, nobody listens there\n  = hint: start it\n"},
		{&loadError{err: &fault.Error{Message: "boom"}}, "error: boom\n"},
		{&fault.Error{Message: "table totals: full", Cause: &worker.StoreError{}}, "error: table totals: full\n   = hint: " + storeHint + "\n"},
	} {
		var b bytes.Buffer
		s := &session{Process: Process{Stderr: &b}, usage: "faust run FILE"}
		s.report(c.err)
		if b.String() != c.want {
			t.Errorf("%v: %q, not %q", c.err, b.String(), c.want)
		}
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	calm, stopped := &interrupts{}, &interrupts{first: syscall.SIGTERM}
	if err := ended(nil, stopped); err != nil {
		t.Errorf("a graceful stop is done: %v", err)
	}
	if err := ended(context.Canceled, calm); !errors.Is(err, context.Canceled) {
		t.Errorf("without a signal the error stays: %v", err)
	}
	if err := ended(&app.Exit{Code: 5}, stopped); exitCode(err) != 5 {
		t.Errorf("app.stop counts: %v", err)
	}
	for _, cause := range []error{context.Canceled, &fault.Error{Code: fault.Cancelled}} {
		err := ended(cause, stopped)
		if exitCode(err) != 143 || errors.Unwrap(err) != nil {
			t.Errorf("%v: %v", cause, err)
		}
	}
	if err := ended(errors.New("flush"), stopped); exitCode(err) != 143 || !strings.Contains(errors.Unwrap(err).Error(), "flush") {
		t.Errorf("what went wrong is kept: %v", err)
	}
}
