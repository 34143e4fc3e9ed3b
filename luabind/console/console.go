// Package console is the engine's side of the console: the variables of a session, the evaluation of one input, the forms in which values are
// shown, what there is to say about a value, and completion. It implements control.Console; package luabind tells it what the script declared.
package console

import (
	"io"
	"log/slog"
	"sync"
	"time"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
	"faust/luabind/record"
	"faust/luabind/vm"
	"faust/runtime/control"
)

// Config is what a console works on. VM, Registry and App are required.
type Config struct {
	VM       *vm.VM
	Registry *record.Registry
	App      App
	Log      *slog.Logger   // hears of every line of a session that somebody opened; nil: nobody
	Limit    time.Duration  // how long a line may hold the machine without waiting; 0: as long as it likes
	Late     io.Writer      // what is printed while no line runs, by tasks that a line started; nil: the next line shows it
	Hidden   *fault.Secrets // what is not shown; may be nil
}

// App is what the console has to know of the script. Its methods are called with the baton held.
type App interface {
	// Names gives the names of what was declared, in order, of a kind: topics, agents, records, tables.
	Names(kind string) []string
	// Declared gives the value that was declared under the name; nil: none.
	Declared(kind, name string) lua.LValue
	// About tells what is known of a value that was declared; nil: nothing, it was not.
	About(v lua.LValue) *About
	// Members gives what can be read from a value of ours without any effect: fields, methods and functions, in order; ok is false if v is none.
	Members(v lua.LValue) (members []Member, ok bool)
}

// Member is a field, method or function of a value.
type Member struct {
	Name  string
	Kind  string     // of control.Candidate
	Value lua.LValue // nil: it is not known without reading it
}

// About is what there is to say of a value.
type About struct {
	Title string // topic orders
	Rows  []Row
	Place string // where it was declared, file:line; "": nowhere
	Code  *lua.LFunction
	Type  string // the name of its methods in package api; "": none

	Schema *record.Schema // of the messages that it takes; nil: any
}

// Row is a labelled line.
type Row struct{ Label, Text string }

// Console opens sessions.
type Console struct {
	cfg Config

	mu   sync.Mutex
	open map[int]bool // the numbers of the sessions
}

// New makes a console.
func New(cfg Config) *Console {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Late != nil {
		cfg.Late = cfg.Hidden.Writer(cfg.Late)
	}
	return &Console{cfg: cfg, open: map[int]bool{}}
}

// Open makes a session. Without a name for who it is, its lines are not logged.
func (c *Console) Open(who string) control.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	number := 1
	for c.open[number] {
		number++
	}
	c.open[number] = true
	return newSession(c, who, number)
}

// closed gives the number of a session back.
func (c *Console) closed(number int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, number)
}

// kinds are those of what is declared, in the order in which a name is looked up.
var kinds = []string{"tables", "topics", "agents", "records"}

// find gives what the app declared under a name.
func (cfg *Config) find(name string) lua.LValue {
	for _, kind := range kinds {
		if v := cfg.App.Declared(kind, name); v != nil {
			return v
		}
	}
	return nil
}

// names gives all names of what the app declared.
func (cfg *Config) names() []string {
	var all []string
	for _, kind := range kinds {
		all = append(all, cfg.App.Names(kind)...)
	}
	return all
}
