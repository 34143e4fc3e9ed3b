package module

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/term"

	"faust/luabind/fault"
)

// Failure is what fail(text) raised: the command line shows the text alone and exits with 1.
type Failure struct{ Text string }

func (f *Failure) Error() string { return f.Text }

// fail is fail(text): it ends the command with a plain message.
func fail(a *args) []lua.LValue {
	text := a.L.ToStringMeta(a.Value("the text")).String()
	a.Done()
	a.Raise(&fault.Error{Code: fault.Script, Message: text, Cause: &Failure{Text: text}})
	return nil
}

// line gives all arguments as print does.
func textLine(a *args) string {
	var parts []string
	for i := 1; i <= a.L.GetTop(); i++ {
		parts = append(parts, a.L.ToStringMeta(a.L.Get(i)).String())
	}
	return strings.Join(parts, "\t") + "\n"
}

// say is say(...): a line on stdout, unless --quiet.
func (s *Set) say(a *args) []lua.LValue {
	if s.cfg.Quiet {
		return nil
	}
	if _, err := io.WriteString(s.cfg.Stdout, textLine(a)); err != nil {
		a.Raise(err)
	}
	return nil
}

// pp is pp(...) -> what it was given: each value on stdout, readably.
func (s *Set) pp(a *args) []lua.LValue {
	var values []lua.LValue
	for i := 1; i <= a.L.GetTop(); i++ {
		v := a.L.Get(i)
		values = append(values, v)
		if _, err := io.WriteString(s.cfg.Stdout, s.cfg.Registry.Inspect(v)+"\n"); err != nil {
			a.Raise(err)
		}
	}
	return values
}

// inspect is inspect(v) -> string.
func (s *Set) inspect(a *args) []lua.LValue {
	v := a.Maybe()
	a.Done()
	return []lua.LValue{lua.LString(s.cfg.Registry.Inspect(v))}
}

// confirm is confirm(text) -> boolean. With --yes it is true; without a terminal it raises.
func (s *Set) confirm(a *args) []lua.LValue {
	text := a.Text("the question")
	a.Done()
	s.waits(a)
	if s.cfg.Yes {
		return []lua.LValue{lua.LTrue}
	}
	if !s.cfg.Interactive() {
		a.Raise(&fault.Error{Code: fault.Usage, Message: "confirm: there is no terminal to ask on: " + text, Hints: []string{"answer beforehand with --yes"}})
	}
	for {
		answer := s.ask(a, text+" [y/N] ", false)
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
			return []lua.LValue{lua.LTrue}
		case "", "n", "no":
			return []lua.LValue{lua.LFalse}
		}
	}
}

// prompt is prompt(text, { secret = true, default = '...' }) -> the line that was typed, or that stdin has if it is no terminal; with secret = true it is a secret.
func (s *Set) prompt(a *args) []lua.LValue {
	text := a.Text("the question")
	opts := a.Options()
	a.Done()
	secret := opts.Boolean("secret")
	s.waits(a)
	answer := s.ask(a, text+" ", secret)
	if answer == "" {
		answer = opts.Text("default")
	}
	return s.textual(a.L, answer, secret)
}

// Interactive tells whether somebody can be asked.
func (s *Set) Interactive() bool { return s.cfg.Interactive() }

// AskSecret writes a question and waits for a line that is not shown; to be called with the baton held, by who was not called by Lua.
func (s *Set) AskSecret(L *lua.LState, question string) (string, error) {
	answer, err := s.answer(L, "an answer to "+question, question+" ", true)
	if errors.Is(err, io.EOF) {
		err = nil // nobody answers
	}
	return answer, err
}

// progress is progress(done, total): how far a command has come; without a total how much it has done.
func (s *Set) progress(a *args) []lua.LValue {
	done, total := a.Number("how much is done"), 0.0
	if !a.Absent() {
		total = a.Number("the total")
	}
	a.Done()
	if s.cfg.Progress != nil {
		s.cfg.Progress(done, total)
	}
	return nil
}

// ask writes a question and waits for a line.
func (s *Set) ask(a *args, question string, secret bool) string {
	answer, err := s.answer(a.L, a.Name, question, secret)
	if errors.Is(err, io.EOF) {
		a.Raise(&fault.Error{Code: fault.Usage, Message: a.Name + ": the input has ended, nobody answers", Cause: err})
	}
	s.waited(a, err)
	return answer
}

func (s *Set) answer(L *lua.LState, what, question string, secret bool) (answer string, err error) {
	err = s.cfg.VM.Block(L, what, func(ctx context.Context) (err error) {
		select {
		case s.input.turn <- struct{}{}:
			defer func() { <-s.input.turn }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if s.cfg.Asking != nil {
			defer s.cfg.Asking()()
		}
		put := func() error {
			_, err := io.WriteString(s.cfg.Stderr, question)
			return err
		}
		if fd, ok := terminal(s.cfg.Stdin); ok && secret && term.IsTerminal(fd) {
			answer, err = s.input.hidden(ctx, fd, put)
			_, _ = io.WriteString(s.cfg.Stderr, "\n") // the one that was typed was not shown
			return err
		}
		if err = put(); err == nil {
			answer, err = s.input.line(ctx)
		}
		return err
	})
	return answer, err
}

// terminal gives the file descriptor of r, if it has one.
func terminal(r io.Reader) (int, bool) {
	f, ok := r.(*os.File)
	if !ok {
		return 0, false
	}
	return int(f.Fd()), true
}

// input reads lines so that a wait for one can be given up: the line then is the next asker's.
type input struct {
	r       *bufio.Reader
	turn    chan struct{} // holds a token while somebody asks
	pending chan typed    // of whoever has the turn
}

type typed struct {
	text string
	err  error
}

// line waits for the next line.
func (in *input) line(ctx context.Context) (string, error) {
	return in.wait(ctx, func() (string, error) {
		text, err := in.r.ReadString('\n')
		if text != "" {
			err = nil
		}
		return strings.TrimRight(text, "\r\n"), err
	})
}

// hidden is line without echo, which ends before the question is put: who answers fast must not see it either. If it is given up the
// terminal is as before.
func (in *input) hidden(ctx context.Context, fd int, put func() error) (string, error) {
	before, err := term.GetState(fd)
	if err == nil {
		err = silence(fd)
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, before) }()
	if err := put(); err != nil {
		return "", err
	}
	return in.wait(ctx, func() (string, error) {
		b, err := term.ReadPassword(fd)
		return string(b), err
	})
}

func (in *input) wait(ctx context.Context, read func() (string, error)) (string, error) {
	if in.pending == nil {
		pending := make(chan typed, 1)
		in.pending = pending
		go func() {
			text, err := read()
			pending <- typed{text, err}
		}()
	}
	select {
	case t := <-in.pending:
		in.pending = nil
		return t.text, t.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
