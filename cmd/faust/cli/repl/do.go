package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"faust/runtime/control"
)

// needApp is the error of a command whose app is not loaded here; nil if it is.
func (r *repl) needApp(name string) error {
	if r.Commands != nil && r.Commands.App() {
		return nil
	}
	return problemf("faust run FILE repl", "':%s' needs the app's file, and this console has none", name)
}

// runCommand runs a command of the command line, which has shown what is wrong.
func (r *repl) runCommand(ctx context.Context, args ...string) error {
	if err := r.Commands.Run(ctx, args...); err == nil || ctx.Err() != nil {
		return err
	}
	return shown{}
}

// tail shows messages: of a channel those of the worker, of a topic those of the broker.
func (r *repl) tail(ctx context.Context, rest string) error {
	words := split(rest)
	if len(words) > 1 && strings.Trim(words[1], "0123456789") == "" {
		words = slices.Insert(words, 1, "-n")
	}
	if r.Worker != nil && len(words) == 1 {
		if names, err := r.Worker.Channels(ctx); err == nil && slices.Contains(names, words[0]) {
			return r.follow(ctx, func() error {
				return r.Worker.Tail(ctx, words[0], nil, func(m control.Message) {
					r.dropped(m.Dropped, "messages")
					r.print(strings.TrimLeft(m.Key+"  "+m.Value, " "))
				})
			})
		}
	}
	if err := r.needApp("tail"); err != nil {
		return err
	}
	return r.runCommand(ctx, append([]string{"tail"}, words...)...)
}

// get shows what a key of a table has. The key is the rest of the line.
func (r *repl) get(ctx context.Context, rest string) error {
	if err := r.needApp("get"); err != nil {
		return err
	}
	name, key, _ := strings.Cut(rest, " ")
	if key = strings.TrimSpace(key); key == "" {
		return problemf("", "':get' needs KEY")
	}
	return r.runCommand(ctx, "get", "--", name, key)
}

// follow runs what goes on until ^C, which is no error then.
func (r *repl) follow(ctx context.Context, f func() error) error {
	err := f()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (r *repl) dropped(n int, what string) {
	if n > 0 {
		fmt.Fprintf(r.Stderr, "… %d %s left out: they came faster than they could be shown\n", n, what)
	}
}

// luaTable is what a value looks like that is Lua rather than JSON: a table, or a record.
var luaTable = regexp.MustCompile(`^[A-Za-z_][\w.]*\s*\{|^\{`)

// send sends a message.
func (r *repl) send(ctx context.Context, rest string) error { return r.post(ctx, "send", rest) }

// ask asks an agent.
func (r *repl) ask(ctx context.Context, rest string) error {
	if !strings.HasPrefix(rest, "@") {
		rest = "@" + rest
	}
	return r.post(ctx, "ask", rest)
}

// post runs send or ask. Flags stand between the target and the value, which is the rest of the line.
func (r *repl) post(ctx context.Context, name, rest string) error {
	if err := r.needApp(name); err != nil {
		return err
	}
	target, value, _ := strings.Cut(rest, " ")
	args := []string{name, target}
	value = strings.TrimSpace(value)
	for strings.HasPrefix(value, "--") {
		var flag string
		flag, value, _ = strings.Cut(value, " ")
		args, value = append(args, flag), strings.TrimSpace(value)
	}
	if value != "" {
		text, err := r.asJSON(ctx, value)
		if err != nil {
			return err
		}
		args = append(args, "--", text)
	} else if !slices.Contains(args, "--null") {
		return problemf("", "':%s' needs VALUE", name)
	}
	return r.runCommand(ctx, args...)
}

// asJSON gives a value as JSON that was written as Lua; others as they are.
func (r *repl) asJSON(ctx context.Context, value string) (string, error) {
	if isJSON(value) || !luaTable.MatchString(value) {
		return value, nil
	}
	result := r.session.Eval(ctx, control.Input{Text: value, Form: "json", Color: r.Color, Last: true, Width: 1 << 30}, io.Discard)
	if result.Failed {
		fmt.Fprintln(r.Stderr, result.Text)
		return "", shown{}
	}
	return result.Text, nil
}

func (r *repl) pause(ctx context.Context, rest string) error {
	if err := r.Worker.Pause(ctx, rest); err != nil {
		return r.noAgent(ctx, rest, err)
	}
	r.print(rest + " gets no more messages on this worker; :resume " + rest)
	return nil
}

func (r *repl) resume(ctx context.Context, rest string) error {
	before, err := r.Worker.Status(ctx)
	if err != nil {
		return err
	}
	if err := r.Worker.Resume(ctx, rest); err != nil {
		return r.noAgent(ctx, rest, err)
	}
	did := " was not paused"
	for _, a := range before.Agents {
		if a.Name != rest {
			continue
		}
		for _, p := range a.Partitions {
			if p.Broken != "" {
				return problemf("mend the script and start the worker again", "%s stays stopped in %s/%d: %s", rest, p.Topic, p.ID, p.Broken)
			}
		}
		if a.Paused {
			did = " goes on"
		}
	}
	r.print(rest + did)
	return nil
}

// noAgent is the error of a name that no agent of the worker has, with the one that is probably meant; others are as they are.
func (r *repl) noAgent(ctx context.Context, name string, err error) error {
	status, failed := r.Worker.Status(ctx)
	if !errors.Is(err, control.ErrUnknown) || failed != nil {
		return err
	}
	var known []string
	for _, a := range status.Agents {
		known = append(known, a.Name)
	}
	hint := ":agents lists them"
	if r.Suggest != nil {
		if best := r.Suggest(name, known); best != "" {
			hint = "did you mean '" + best + "'?"
		}
	}
	return problemf(hint, "there is no agent '%s'", name)
}

// log shows the worker's log until ^C.
func (r *repl) log(ctx context.Context, rest string) error {
	if rest == "" {
		rest = "info"
	}
	return r.follow(ctx, func() error {
		return r.Worker.Log(ctx, rest, nil, func(l control.Line) {
			r.dropped(l.Dropped, "lines")
			r.print(l.Time.Local().Format("15:04:05 ") + l.Text)
		})
	})
}

// split cuts a line into words as a shell does, with quotes.
func split(text string) []string {
	var words []string
	var word strings.Builder
	quote, begun := byte(0), false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, begun = c, true
		case quote == 0 && c == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words
}
