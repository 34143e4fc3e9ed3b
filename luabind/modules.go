package luabind

import (
	"log/slog"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/module"
)

// Failure is what fail(text) of a script raised: the command line shows the text alone and exits with 1.
type Failure = module.Failure

// helpers makes the helper modules and say, confirm, prompt and so on, for this script.
func (b *binding) helpers() *module.Set {
	return module.New(module.Config{
		Stdin: b.cfg.Stdin, Stdout: b.stdout, Stderr: b.cfg.Stderr, Logger: b.log, Quiet: b.cfg.Quiet, Yes: b.cfg.Yes,
		Where: b.where, Secrets: b.cfg.Secrets, Hidden: b.cfg.Hidden, UserAgent: b.cfg.UserAgent, Transport: b.cfg.Transport,
		Asking: b.cfg.Asking, Progress: b.cfg.Progress,
	})
}

// where tells the agent that the running task belongs to and the event it has in hand.
func (b *binding) where() []slog.Attr {
	in, ok := (*b.vm.Local()).(*body)
	if !ok {
		h, inHand := b.hand()
		if !inHand {
			return nil
		}
		in = h.body
	}
	attrs := []slog.Attr{slog.String("agent", in.agent.def.Name)}
	if in.inHand {
		ev := in.src.Current()
		attrs = append(attrs, slog.String("topic", ev.Topic), slog.Int("partition", int(ev.Partition)), slog.Int64("offset", ev.Offset))
	}
	return attrs
}

// modules are all modules by name: the helpers and those that need the app.
func (b *binding) modules() map[string]func(L *lua.LState) lua.LValue {
	all := b.module.Modules()
	all["web"] = b.webModule
	return all
}
