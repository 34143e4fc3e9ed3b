// Package vm is the Lua machine: one state, the baton that lets one task at a time run Lua, pooled threads, protected calls, the
// standard library as the product offers it, require, and waiting. It knows nothing of apps, topics or brokers.
package vm

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/fault"
)

// Config says what a VM offers to scripts. The zero value is a strict machine that prints to nowhere.
type Config struct {
	Root    string                                    // the app's folder, where require looks; absolute
	Stdout  io.Writer                                 // print, io.write
	Lax     bool                                      // --no-strict: undefined globals are nil
	Unsafe  bool                                      // --unsafe: os.execute, io.popen, dofile and so on
	Modules map[string]func(L *lua.LState) lua.LValue // built-in modules by name: predeclared globals and require-able; made on first use
	// Pass is the load-time pass over the syntax tree; nil: none. If hidden is not nil, what it gives is a chunk that, called with hidden,
	// returns the function to run. It may change the chunk it is given, whose nodes are marked (fault.MarkNodes).
	Pass  func(chunk []ast.Stmt) (out []ast.Stmt, hidden []lua.LValue)
	Slice time.Duration // how long a task may hold the baton while others wait; 0: 2 ms
	Log   *slog.Logger  // hears of Go panics in host functions, with the Go stack; nil: nobody
}

// Sizes of a Lua thread. Small at first, because every task and every pending pcall has one; able to grow far enough for unpack and
// string.format of whole data sets. The engine's own grow step of 32 would make that growth quadratic.
const (
	registrySize = 256
	registryMax  = 1 << 20
	registryStep = 4096
	callDepth    = 2048
	maxNested    = 190 // protected calls, coroutines and callbacks inside each other, each with a thread of its own
	pauseLimit   = 1000
	maxStride    = 16 // pauses between two looks at the clock
	defaultSlice = 2 * time.Millisecond
)

// VM is one Lua machine. Unless said otherwise its methods may be called from any goroutine.
type VM struct {
	cfg     Config
	root    *lua.LState
	baton   chan struct{} // holds one token while nobody runs Lua
	waiting atomic.Int32  // tasks that want the baton
	holder  atomic.Pointer[task]
	ready   atomic.Bool
	closing sync.Once

	mu     sync.Mutex // guards tasks, the fields of a task that say what it waits for, and chunks
	tasks  map[*task]struct{}
	chunks int // compiled so far

	// What follows is used with the baton held.
	pool       []*thread
	trampoline *lua.LFunction
	onRaise    func(*lua.LState)
	diagnoser  *lua.LFunction
	diagnosing **fault.Error // where the diagnosis that is being made goes
	byScript   bool          // what is being raised was given to error() by a script
	errors     *lua.LTable   // metatable of error objects
	strings    *lua.LTable   // the string library
	random     *rand.Rand
	coroutines
	modules
}

// New makes the state and opens the libraries.
func New(cfg Config) *VM {
	if cfg.Stdout == nil {
		cfg.Stdout = io.Discard
	}
	if cfg.Slice <= 0 {
		cfg.Slice = defaultSlice
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	m := &VM{cfg: cfg, baton: make(chan struct{}, 1), tasks: map[*task]struct{}{}}
	m.root = lua.NewState(lua.Options{
		SkipOpenLibs: true, MinimizeStackMemory: true, CallStackSize: callDepth,
		RegistrySize: registrySize, RegistryMaxSize: registryMax, RegistryGrowStep: registryStep,
	})
	m.onRaise = m.raised
	m.trampoline = m.root.NewFunction(m.enter)
	m.openErrors()
	m.openDiagnosis()
	m.openLibraries()
	m.baton <- struct{}{}
	return m
}

// Close releases the state. No task may be running.
func (m *VM) Close() { m.closing.Do(m.root.Close) }

// Loading tells whether the script is still being loaded (between New and Loaded).
func (m *VM) Loading() bool { return !m.ready.Load() }

// Loaded ends the loading phase.
func (m *VM) Loaded() { m.ready.Store(true) }

// Globals is the table of global variables; to be used with the baton held.
func (m *VM) Globals() *lua.LTable { return m.root.G.Global }

// Context is the context of the task that holds the baton; to be called by functions that Lua called.
func (m *VM) Context() context.Context { return m.current().ctx }

// Local gives a slot of the running task for the binding's own use (the event in hand); to be called with the baton held.
func (m *VM) Local() *any { return &m.current().local }

// current is the task that runs; only to be called with the baton held.
func (m *VM) current() *task {
	t := m.holder.Load()
	if t == nil {
		panic("vm: Lua run outside of Run")
	}
	return t
}

// AsError gives the *fault.Error behind an error object of Lua.
func AsError(v lua.LValue) (*fault.Error, bool) {
	ud, ok := v.(*lua.LUserData)
	if !ok {
		return nil, false
	}
	e, ok := ud.Value.(*fault.Error)
	return e, ok
}

// Task is the name of the task that runs; with the baton held.
func (m *VM) Task() string { return m.current().name }
