// Package luabind turns a script into an app and its callbacks: one file per Lua type. A binding function takes its arguments, makes
// one call into the runtime and pushes the result.
package luabind

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/module"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/app"
	"faust/runtime/topic"
)

// Config says how a script is loaded.
type Config struct {
	Stdin     io.Reader
	Stdout    io.Writer // print, say
	Stderr    io.Writer
	LoadPrint io.Writer    // where top-level print goes while loading; nil: Stdout
	Layers    app.Layers   // flags and environment, above app.configure
	Log       *slog.Logger // hears of spawned tasks that fail and of panics in host functions; nil: nobody
	Lax       bool
	Unsafe    bool
	NoPass    bool // without the load-time pass
	Yes       bool // confirm answers itself
	Quiet     bool // say is silent
}

// Script is a loaded script: the app it declared and the machine its callbacks run in.
type Script struct {
	App      *app.App
	VM       *vm.VM
	Warnings []*fault.Error // what is legal and probably not meant
}

// Load runs the file once in definition mode: it declares, touches no network and starts nothing. The error is a *fault.Error, a
// fault.List, one of app.Resolve about the layers, or an error of the file system.
func Load(path string, cfg Config) (*Script, error) {
	b, err := newBinding(path, cfg)
	if err != nil {
		return nil, err
	}
	err = b.vm.Run(context.Background(), "loading", false, func(L *lua.LState) error {
		b.open(L)
		fn, err := b.vm.Load(path)
		if err != nil {
			return err
		}
		_, err = b.vm.Call(L, "in main chunk", fn, 0)
		return err
	})
	if err == nil {
		err = b.sealAgents()
	}
	if err != nil {
		b.vm.Close()
		return nil, err
	}
	b.vm.Loaded()
	b.stdout.to(b.cfg.Stdout)
	return &Script{App: b.app, VM: b.vm, Warnings: b.warnings}, nil
}

// Close releases the machine.
func (s *Script) Close() { s.VM.Close() }

// binding is what the functions of one script share. Its fields are used with the baton held.
type binding struct {
	cfg    Config
	app    *app.App
	vm     *vm.VM
	reg    *record.Registry
	log    *slog.Logger
	stdout *output
	module *module.Set
	table  *lua.LTable // app
	kinds  kinds

	settings configured
	topics   declared[*topicObject]
	agents   declared[*agentObject]
	names    names // of tasks, and of timers and crontabs
	warnings []*fault.Error

	sent topic.Record // of postNow, while it is handed over
}

// kinds are the metatables of our objects.
type kinds struct {
	topic, agent, channel, stream, event, sending, task, item, request, answer *lua.LTable
}

// newBinding makes the machine. Nothing is run yet.
func newBinding(path string, cfg Config) (*binding, error) {
	if cfg.Stdout == nil {
		cfg.Stdout = io.Discard
	}
	if cfg.LoadPrint == nil {
		cfg.LoadPrint = cfg.Stdout
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	settings, err := app.Resolve(append(cfg.Layers[:len(cfg.Layers):len(cfg.Layers)], app.FileLayer(path))...)
	if err != nil {
		return nil, err
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	b := &binding{cfg: cfg, log: cfg.Log, stdout: &output{}}
	b.stdout.to(cfg.LoadPrint)
	b.app = &app.App{File: path, About: about(string(src)), Settings: settings}
	b.settings.path = path
	b.module = b.helpers()
	machine := vm.Config{
		Root: filepath.Dir(abs), Stdout: b.stdout, Lax: cfg.Lax || !settings.Strict, Unsafe: cfg.Unsafe,
		Modules: b.modules(), Log: cfg.Log,
	}
	if !cfg.NoPass {
		machine.Pass = (&direct{b: b}).rewritten
	}
	b.vm = vm.New(machine)
	return b, nil
}

// output is a writer whose target changes once loading is over.
type output struct{ target atomic.Pointer[io.Writer] }

func (o *output) to(w io.Writer)              { o.target.Store(&w) }
func (o *output) Write(p []byte) (int, error) { return (*o.target.Load()).Write(p) }

// about gives the first comment of a file, one line.
func about(src string) string {
	src = strings.TrimPrefix(src, "\xef\xbb\xbf")
	for i, line := range strings.Split(src, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || i == 0 && strings.HasPrefix(line, "#") {
			continue
		}
		text, ok := strings.CutPrefix(line, "--")
		if !ok {
			return ""
		}
		text = strings.TrimSuffix(strings.TrimPrefix(text, "[["), "]]")
		if text = strings.Trim(text, "- \t"); text != "" {
			return text
		}
	}
	return ""
}

// open makes the registry, the metatables and the predeclared names.
func (b *binding) open(L *lua.LState) {
	b.reg = record.NewRegistry(L)
	b.reg.Raise = vm.Raise
	b.module.Attach(b.vm, b.reg)
	b.module.SetGlobals(L)
	b.kinds = kinds{
		topic: b.topicKind(L), agent: b.agentKind(L), channel: b.channelKind(L), stream: b.streamKind(L),
		event: b.eventKind(L), sending: b.sendingKind(L), task: b.taskKind(L), item: b.itemKind(L),
		request: b.requestKind(L), answer: b.answerKind(L),
	}
	b.table = b.appTable(L)
	for name, v := range map[string]lua.LValue{
		"app": b.table, "null": b.reg.Null(), "spawn": L.NewFunction(b.spawn), "parallel": L.NewFunction(b.parallel),
	} {
		L.G.Global.RawSetString(name, v)
	}
}

// functions are the functions of app, by name. A file that has some adds a line here.
func (b *binding) functions() []map[string]lua.LGFunction {
	return []map[string]lua.LGFunction{
		b.declarations(),
		b.absent(),
		b.commands(),
	}
}

// declarations are the functions of app in the files of this package that have one or two.
func (b *binding) declarations() map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"configure": b.configure, "record": b.appRecord, "topic": b.appTopic, "channel": b.appChannel, "agent": b.appAgent,
		"task": b.appTask, "timer": b.appTimer, "crontab": b.appCrontab, "on": b.appOn, "stop": b.appStop, "page": b.appPage,
		"main": func(*lua.LState) int { return 0 },
	}
}
