// Package luabind turns a script into an app and its callbacks: one file per Lua type. A binding function takes its arguments, makes
// one call into the runtime and pushes the result.
package luabind

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/console"
	"faust/luabind/fault"
	"faust/luabind/module"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/app"
	"faust/runtime/topic"
)

// Config says how a script is loaded.
type Config struct {
	Source    []byte // of the script, if it was read already; nil: the file is read
	Stdin     io.Reader
	Stdout    io.Writer // print, say
	Stderr    io.Writer
	LoadPrint io.Writer    // where top-level print goes while loading; nil: Stdout
	Layers    app.Layers   // flags and environment, above app.configure
	Log       *slog.Logger // hears of spawned tasks that fail and of panics in host functions; nil: nobody
	Lax       bool
	Unsafe    bool
	NoPass    bool              // without the load-time pass
	Yes       bool              // confirm answers itself
	Quiet     bool              // say is silent
	UserAgent string            // of http
	Transport http.RoundTripper // of http; nil: the network
	Secrets   map[string]string // those of --secrets, by name
	Hidden    *fault.Secrets    // where the texts of secrets are put, so that nothing shows them; may be nil
	// Asking is called before somebody is asked for a line, and what it gives when the line was read; nil: nobody needs to know.
	Asking func() (answered func())
	// Progress hears of progress(done, total); total 0: not known. nil: nobody listens.
	Progress func(done, total float64)
}

// Script is a loaded script: the app it declared and the machine its callbacks run in.
type Script struct {
	App      *app.App
	VM       *vm.VM
	Warnings []*fault.Error // what is legal and probably not meant

	b *binding
}

// Load runs the file once in definition mode: it declares, touches no network and starts nothing. The error is a *fault.Error, a
// fault.List, one of app.Resolve about the layers, or an error of the file system.
func Load(path string, cfg Config) (*Script, error) {
	src := cfg.Source
	if src == nil {
		var err error
		if src, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	b, err := newBinding(path, string(src), cfg)
	if err != nil {
		return nil, err
	}
	err = b.vm.Run(context.Background(), "loading", false, func(L *lua.LState) error {
		b.open(L)
		fn, err := b.vm.LoadText(src, path)
		if err != nil {
			return err
		}
		_, err = b.vm.Call(L, "in main chunk", fn, 0)
		return err
	})
	if err == nil {
		err = b.seal()
	}
	if err != nil {
		b.module.Close()
		b.vm.Close()
		return nil, err
	}
	return b.loaded(), nil
}

// Plain makes a script that declares nothing, for a console without an app. dir is where require looks.
func Plain(dir string, cfg Config) (*Script, error) {
	b, err := newBinding(filepath.Join(dir, "repl.lua"), "", cfg)
	if err != nil {
		return nil, err
	}
	err = b.vm.Run(context.Background(), "loading", false, func(L *lua.LState) error { b.open(L); return nil })
	if err != nil {
		b.vm.Close()
		return nil, err
	}
	return b.loaded(), nil
}

// loaded is the script whose file has run.
func (b *binding) loaded() *Script {
	b.vm.Loaded()
	b.stdout.to(b.cfg.Stdout)
	return &Script{App: b.app, VM: b.vm, Warnings: b.warnings, b: b}
}

// Close releases the machine and what its modules keep open.
func (s *Script) Close() {
	s.b.module.Close()
	s.VM.Close()
}

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

	members  map[*lua.LTable]memberSet               // by metatable
	listings map[*lua.LTable]func() []console.Member // of app and the tables in it
	bodies   []code

	settings configured
	topics   declared[*topicObject]
	agents   declared[*agentObject]
	groups   []*group
	tables   declared[*tableObject]
	names    names // of tasks, and of timers and crontabs
	warnings []*fault.Error

	sent    topic.Record // of postNow, while it is handed over
	scratch []byte       // for keys and values of tables, while they are encoded
	row     []byte       // for the key of what a key has in a window
}

// kinds are the metatables of our objects.
type kinds struct {
	topic, table, set, agent, channel, stream, event, sending, task, item, request, answer, merged *lua.LTable
}

// newBinding makes the machine. Nothing is run yet.
func newBinding(path, src string, cfg Config) (*binding, error) {
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
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	b := &binding{cfg: cfg, log: cfg.Log, stdout: &output{}}
	b.stdout.to(cfg.LoadPrint)
	b.app = &app.App{File: path, About: about(src), Settings: settings}
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
	b.members, b.listings = map[*lua.LTable]memberSet{}, map[*lua.LTable]func() []console.Member{}
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
		topic: b.topicKind(L), table: b.tableKind(L), set: b.setKind(L), agent: b.agentKind(L), channel: b.channelKind(L), stream: b.streamKind(L),
		event: b.eventKind(L), sending: b.sendingKind(L), task: b.taskKind(L), item: b.itemKind(L),
		request: b.requestKind(L), answer: b.answerKind(L), merged: b.mergedKind(L),
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
		"configure": b.configure, "record": b.appRecord, "topic": b.appTopic, "table": b.appKeyed, "set_table": b.appSets, "global_table": b.appGlobal, "channel": b.appChannel, "agent": b.appAgent,
		"task": b.appTask, "timer": b.appTimer, "crontab": b.appCrontab, "on": b.appOn, "stop": b.appStop, "page": b.appPage,
		"merge": b.appMerge, "main": func(*lua.LState) int { return 0 },
	}
}
