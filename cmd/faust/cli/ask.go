package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/app"
	"faust/runtime/topic"
	"faust/runtime/worker"
)

func (s *session) askCommand() builtin {
	var key, timeout string
	var set *pflag.FlagSet
	return builtin{
		group: doing, use: "ask @AGENT VALUE", short: "Ask an agent and print what it answers.", app: true, min: 2, max: 2, complete: agentNames,
		long: `VALUE is what the agent gets: JSON, or the text itself if it reads strings. What it yields first is printed as JSON; null if it yields nothing.
That an agent failed, or did not answer in time, is the exit code 1.`,
		example: `ask @adder '{"a":1,"b":2}' --timeout 5s`,
		flags: func(f *pflag.FlagSet) {
			set = f
			f.StringVar(&key, "key", "", "the key of the message")
			f.StringVar(&timeout, "timeout", "10s", "how long to wait for the answer, `TIME`")
		},
		run: func(ctx context.Context, args []string) error {
			limit, err := app.ParseDuration(timeout)
			if err != nil {
				return cannotBe("--timeout", timeout, err)
			}
			d := luabind.Draft{Partition: topic.Any, Value: &args[1]}
			if set.Changed("key") {
				d.Key = &key
			}
			return s.runAsk(ctx, args[0], d, limit)
		},
	}
}

func (s *session) runAsk(ctx context.Context, name string, d luabind.Draft, limit time.Duration) error {
	t, err := s.asked(ctx, name)
	if err != nil {
		return err
	}
	return s.linked(ctx, func(ctx context.Context, client *worker.Client) error {
		answer, err := s.ask(ctx, client, t, d, limit)
		if err != nil {
			return err
		}
		if s.isTerminal(s.Stdout) && !s.globals.json {
			var b bytes.Buffer
			if json.Indent(&b, answer, "", "  ") == nil {
				answer = []byte(fault.Visible(b.String()))
			}
		}
		_, err = fmt.Fprintf(s.Stdout, "%s\n", answer)
		return err
	})
}

// asked finds an agent that can be asked.
func (s *session) asked(ctx context.Context, name string) (*luabind.Target, error) {
	t, err := s.target(ctx, name, luabind.Types{})
	switch {
	case err != nil:
		return nil, err
	case t.Channel != "":
		return nil, usagef("%s reads a channel, so it cannot answer; give it a topic, or no source", t.Name)
	case t.Agent == "":
		e := usagef("'%s' is a topic: agents are asked, by @ and their name", name)
		for _, a := range s.app.script.App.Agents {
			if len(a.Topics) == 1 && a.Topics[0].Name == t.Topic.Name {
				e.hint = fmt.Sprintf("@%s reads it", a.Name)
			}
		}
		return nil, e
	}
	return t, nil
}

// ask sends a question and gives the answer as JSON. The time runs from when the broker is reached.
func (s *session) ask(ctx context.Context, client *worker.Client, t *luabind.Target, d luabind.Draft, limit time.Duration) ([]byte, error) {
	s.quoted("VALUE", *d.Value, 1)
	if d.Key != nil {
		s.quoted("KEY", *d.Key, 1)
	}
	r, err := s.app.script.Question(ctx, t, d)
	if err != nil {
		return nil, err
	}
	if _, err := reach(ctx, client, t); err != nil {
		return nil, err
	}
	type reply struct {
		record topic.Record
		err    error
	}
	waiting, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	replies := make(chan reply, 1)
	if err = client.Request(waiting, &r, func(r topic.Record, err error) { replies <- reply{r, err} }); err == nil {
		got := <-replies
		r, err = got.record, got.err
	}
	switch {
	case err == nil:
		return answered(t, r)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, &fault.Error{Code: fault.Timeout, Message: fmt.Sprintf("no answer from agent '%s' within %s", t.Agent, app.FormatDuration(limit)),
			Hints: []string{"is a worker running? a longer time: --timeout 1m"}}
	}
	return nil, fmt.Errorf("ask agent '%s': %w", t.Agent, err)
}

// answered gives what an agent answered; an answer that says that it failed is an error.
func answered(t *luabind.Target, r topic.Record) ([]byte, error) {
	if text, failed := luabind.Failed(&r); failed {
		return nil, &fault.Error{Code: fault.AgentError, Message: fmt.Sprintf("agent '%s' failed: %s", t.Agent, text)}
	}
	if r.Value == nil {
		return []byte("null"), nil
	}
	return r.Value, nil
}
