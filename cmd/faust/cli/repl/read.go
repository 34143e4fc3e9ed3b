package repl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"faust/cmd/faust/cli/repl/edit"
	"faust/runtime/control"
)

// The prompts.
const (
	prompt = ">> "
	more   = ".. "
)

// reader gives what reads inputs from the terminal.
func (r *repl) reader() func(ctx context.Context) (string, error) {
	if r.Dumb {
		return r.readPlain(newLines(r.Stdin))
	}
	r.editor = &edit.Editor{
		Terminal: r.Terminal, Prompt: prompt, More: more, History: r.History, Color: r.Color,
		Whole: r.whole, Complete: r.complete, Indent: indent, Outdent: outdent, Edit: r.Edit, Above: r.Above, Style: styles,
	}
	return r.editor.Read
}

// readPlain reads with prompts and without an editor.
func (r *repl) readPlain(lines *lines) func(ctx context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		var input string
		for {
			p := prompt
			if input != "" {
				p = more
			}
			fmt.Fprint(r.Stdout, p)
			text, err := lines.next(ctx)
			input += text
			switch {
			case err != nil && (text == "" || !errors.Is(err, io.EOF)):
				return "", err
			case strings.TrimSpace(input) == "" || r.whole(ctx, input):
				return strings.TrimRight(input, "\n"), nil
			}
		}
	}
}

// lines reads lines so that a wait for one can be given up.
type lines struct {
	r       *bufio.Reader
	pending chan got
}

type got struct {
	text string
	err  error
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReader(r)} }

// next gives the next line with its line break. With io.EOF comes what stands behind the last one.
func (l *lines) next(ctx context.Context) (string, error) {
	if l.pending == nil {
		l.pending = make(chan got, 1)
		go func(c chan<- got) {
			text, err := l.r.ReadString('\n')
			c <- got{text, err}
		}(l.pending)
	}
	select {
	case g := <-l.pending:
		l.pending = nil
		return g.text, g.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

var (
	opens  = regexp.MustCompile(`(\b(then|do|else|repeat)|\bfunction\b[^()]*\([^()]*\)|[({\[])\s*(--.*)?$`)
	closes = regexp.MustCompile(`^ *(end|else|elseif|until|\}|\))$`)
)

// indent gives what the line after a text begins with: as the last line, or further right if that opens a block.
func indent(text string) string {
	last := text[strings.LastIndexByte(text, '\n')+1:]
	margin := last[:len(last)-len(strings.TrimLeft(last, " \t"))]
	if opens.MatchString(last) {
		margin += "  "
	}
	return margin
}

// outdent tells whether a text ends with a word that closes a block and stands alone in its line.
func outdent(text string) bool { return closes.MatchString(text[strings.LastIndexByte(text, '\n')+1:]) }

// complete gives what could stand at the end of a text.
func (r *repl) complete(ctx context.Context, text string) control.Completion {
	if strings.HasPrefix(text, ":") {
		return r.completeCommand(ctx, text)
	}
	return r.session.Complete(ctx, text)
}
