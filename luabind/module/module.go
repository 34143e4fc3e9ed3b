// Package module is the helper modules that scripts use: json, time, http, log, random, uuid, env, regex, base64, crypto, url, decimal, int64, and say, confirm, prompt, fail, pp,
// inspect.
// Required things are arguments, the rest one table of options; what waits goes through vm.Block; errors raise.
package module

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"time"

	"golang.org/x/term"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
)

// Config says what the modules work on. The zero value has no input, prints to nowhere and reads the process's environment.
type Config struct {
	Stdin       io.Reader
	Stdout      io.Writer          // say, pp
	Stderr      io.Writer          // the questions of confirm and prompt
	Logger      *slog.Logger       // log.info and so on; nil: nobody hears
	Where       func() []slog.Attr // what the running task works on, for its log lines; nil: nothing is added
	Registry    *record.Registry
	VM          *vm.VM
	Quiet       bool                             // say is silent
	Yes         bool                             // confirm answers itself
	Asking      func() (answered func())         // around every question; nil: nobody needs to know
	Progress    func(done, total float64)        // hears of progress(done, total); nil: nobody
	Interactive func() bool                      // whether somebody can be asked; nil: whether Stdin is a terminal
	Env         func(name string) (string, bool) // nil: os.LookupEnv
	Secrets     map[string]string                // those of --secrets, by name
	Hidden      *fault.Secrets                   // where the texts of secrets are put, so that nothing shows them; may be nil
	UserAgent   string                           // of http; "": faust
	Transport   http.RoundTripper                // of http; nil: one of its own
}

// Set is the modules of one machine. Its functions run with the baton held.
type Set struct {
	cfg     Config
	started time.Time
	source  mathrand.Source
	rand    *mathrand.Rand
	seeded  bool
	input   *input
	secrets *lua.LTable // the metatable of secrets, once there are some

	patterns patterns
	response *lua.LTable // the metatable of responses
}

// New makes the modules. The machine and the registry may come later, by Attach.
func New(cfg Config) *Set {
	if cfg.Stdin == nil {
		cfg.Stdin = eof{}
	}
	if cfg.Stdout == nil {
		cfg.Stdout = io.Discard
	}
	if cfg.Stderr == nil {
		cfg.Stderr = io.Discard
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Env == nil {
		cfg.Env = os.LookupEnv
	}
	if cfg.Interactive == nil {
		stdin := cfg.Stdin
		cfg.Interactive = func() bool { fd, ok := terminal(stdin); return ok && term.IsTerminal(fd) }
	}
	if cfg.Transport == nil {
		cfg.Transport = newTransport()
	}
	cfg.UserAgent = cmp.Or(cfg.UserAgent, "faust")
	s := &Set{cfg: cfg, started: time.Now(), input: &input{r: bufio.NewReader(cfg.Stdin), turn: make(chan struct{}, 1)}}
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // cannot fail: crypto/rand ends the process rather than give less
	s.use(mathrand.NewChaCha8(seed))
	return s
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// Attach gives the machine and the registry that the functions use. It has to be called before a script runs, unless New got them.
func (s *Set) Attach(machine *vm.VM, registry *record.Registry) {
	s.cfg.VM, s.cfg.Registry = machine, registry
}

// Modules are the modules by name, for vm.Config.Modules. Names that the API reserves for later raise when they are used.
func (s *Set) Modules() map[string]func(L *lua.LState) lua.LValue {
	mods := map[string]func(L *lua.LState) lua.LValue{
		"json":    s.jsonModule,
		"time":    s.timeModule,
		"random":  s.randomModule,
		"uuid":    s.uuidModule,
		"env":     s.envModule,
		"log":     s.logModule,
		"http":    s.httpModule,
		"regex":   s.regexModule,
		"base64":  s.base64Module,
		"crypto":  s.cryptoModule,
		"url":     s.urlModule,
		"decimal": s.decimalModule,
		"int64":   s.int64Module,
	}
	for _, name := range later {
		mods[name] = func(L *lua.LState) lua.LValue { return absent(L, name) }
	}
	return mods
}

// Close closes the connections that nobody uses.
func (s *Set) Close() { (&http.Client{Transport: s.cfg.Transport}).CloseIdleConnections() }

// SetGlobals sets say, confirm, prompt, fail, pp and inspect in L.
func (s *Set) SetGlobals(L *lua.LState) {
	for name, fn := range map[string]function{
		"say": s.say, "confirm": s.confirm, "prompt": s.prompt, "fail": fail, "progress": s.progress, "pp": s.pp, "inspect": s.inspect,
	} {
		L.G.Global.RawSetString(name, fn.value(L, name, nil))
	}
}
