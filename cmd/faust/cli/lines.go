package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/topic"
	"faust/runtime/worker"
)

// stdinName stands for standard input in places.
const stdinName = "stdin"

// lines are the lines of a file or of standard input, one message each.
type lines struct {
	name  string
	in    *bufio.Reader
	file  *os.File
	typed bool   // by a person
	count int    // read so far
	last  string // as it was read
	above string // the one before
}

// openLines opens a file; "" or "-": standard input.
func (s *session) openLines(file string) (*lines, error) {
	if file == "" || file == "-" {
		if s.isTerminalIn() && !s.globals.quiet {
			fmt.Fprintln(s.Stderr, "one message a line, ^D ends")
		}
		return &lines{name: stdinName, typed: s.isTerminalIn(), in: bufio.NewReaderSize(s.Stdin, 64<<10)}, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, usagef("--file '%s': %s", file, cause(err))
	}
	return &lines{name: file, file: f, in: bufio.NewReaderSize(f, 64<<10)}, nil
}

func (l *lines) close() {
	if l.file != nil {
		l.file.Close()
	}
}

// next gives the next line that is not empty, without its end; io.EOF after the last.
func (l *lines) next() (string, error) {
	for {
		text, err := l.in.ReadString('\n')
		if text == "" && err != nil {
			return "", err
		}
		l.count++
		l.above, l.last = l.last, strings.TrimRight(text, "\r\n")
		if text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"); l.count == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if strings.TrimSpace(text) != "" {
			return text, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// line is one line with its number, or the error of reading it.
type line struct {
	text, above string
	number      int
	err         error
}

// read reads on a goroutine of its own, since nothing else ends a read that waits for a person. The goroutine ends with ctx, or with the read.
func (l *lines) read(ctx context.Context) <-chan line {
	out := make(chan line, 64)
	go func() {
		defer close(out)
		for {
			text, err := l.next()
			select {
			case out <- line{text, l.above, l.count, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// sendLines sends every line. It stops at the first that is wrong; those that the broker does not take are counted.
func (s *session) sendLines(ctx context.Context, t *luabind.Target, from *lines, kind luabind.Lines, d luabind.Draft) error {
	return s.linked(ctx, func(ctx context.Context, client *worker.Client) error {
		kafka, err := reach(ctx, client, t)
		if err != nil {
			return err
		}
		var done tally
		reading, stop := context.WithCancel(ctx)
		defer stop()
		if !from.typed {
			s.command.Load().counts("sent", func() int64 { n, _, _ := done.count(); return int64(n) })
		}
		lasting, stopWaiting := s.lasting(ctx) // a signal ends the reading; what was read is stored
		defer stopWaiting()
		var wrong error
		for l := range from.read(reading) {
			if wrong = l.err; wrong != nil || ctx.Err() != nil {
				break
			}
			var r topic.Record
			if r, wrong = s.app.script.EncodeLine(ctx, t, l.text, kind, d); wrong != nil {
				wrong = s.misplaced(from.name, l, wrong)
				break
			}
			place := fmt.Sprintf("%s:%d", from.name, l.number)
			kafka.Produce(lasting, &r, func(_ topic.Record, err error) { done.note(place, err) })
		}
		flushed := kafka.Flush(lasting)
		stop()
		if errors.Is(wrong, io.EOF) {
			wrong = nil
		}
		return s.sentLines(t, &done, errors.Join(wrong, flushed, ctx.Err()))
	})
}

// lasting gives a context that goes on for a while after ctx: for what was begun.
func (s *session) lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		time.AfterFunc(max(s.app.script.App.Settings.Grace, time.Second), cancel)
	})
	return lasting, func() { forget(); cancel() }
}

// sentLines says what was sent, and gives what went wrong.
func (s *session) sentLines(t *luabind.Target, done *tally, err error) error {
	sent, failed, first := done.count()
	switch {
	case s.globals.json:
		if printed := s.printJSON(map[string]any{"topic": t.Topic.Name, "sent": sent, "failed": failed}); printed != nil {
			return printed
		}
	case !s.globals.quiet:
		fmt.Fprintf(s.Stdout, "%s sent to %s\n", plural(sent, "message"), t.Topic.Name)
	}
	lost := notStored(failed, first)
	if err == nil || lost == nil {
		if err == nil {
			err = lost
		}
		return err
	}
	s.complain(lost.Error(), "")
	return err
}

// notStored is the error of messages that the broker did not take.
func notStored(failed int, first error) error {
	switch failed {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("not stored: %w", first)
	}
	return fmt.Errorf("%d messages were not stored, the first: %w", failed, first)
}

// misplaced tells in which line of a file an error is.
func (s *session) misplaced(name string, l line, err error) error {
	var e *fault.Error
	if !errors.As(err, &e) {
		return err
	}
	if e.Place.File != "" && e.Place.File != name { // --key
		return err
	}
	e.Place.File, e.Place.Line = name, l.number
	if s.quoted(name, l.text, 1); l.number > 1 {
		s.quoted(name, l.above+"\n"+l.text, l.number-1)
	}
	return err
}

// plural counts things: 1 message, 2 messages.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
