// Package vm is the Lua machine: one state, the baton that lets one task at a time run Lua, pooled threads, protected calls, the
// standard library as the product offers it, require, and waiting. It knows nothing of apps, topics or brokers.
package vm

import (
	"context"
	"io"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/fault"
)

// Config says what a VM offers to scripts. The zero value is a strict machine that prints to nowhere.
type Config struct {
	Root    string                                         // the app's folder, where require looks; absolute
	Stdout  io.Writer                                      // print, io.write
	Lax     bool                                           // --no-strict: undefined globals are nil
	Unsafe  bool                                           // --unsafe: os.execute, io.popen, dofile and so on
	Modules map[string]func(L *lua.LState) lua.LValue      // built-in modules by name: predeclared globals and require-able; made on first use
	Pass    func(chunk []ast.Stmt, file string) []ast.Stmt // load-time pass over the syntax tree; nil: none
	Slice   time.Duration                                  // how long a task may hold the baton while others wait; 0: 2 ms
}

// VM is one Lua machine. Unless said otherwise its methods may be called from any goroutine.
type VM struct{}

// New makes the state and opens the libraries.
func New(cfg Config) *VM { panic("outline") }

// Close releases the state. No task may be running.
func (m *VM) Close() { panic("outline") }

// Load compiles a file: shebang and BOM are dropped. The error is a *fault.Error or fault.List.
func (m *VM) Load(file string) (*lua.LFunction, error) { panic("outline") }

// Run takes the baton and runs f on a pooled Lua thread as the task of that name ("agent track_countries/2", "timer report"), shown by Tasks.
// f's error is given back. It is the only way to run Lua. ctx is the task's context: Block and waiting functions end
// with it; interruptible makes it end a Lua loop that never waits as well, at the price of slower Lua.
func (m *VM) Run(ctx context.Context, name string, interruptible bool, f func(L *lua.LState) error) error {
	panic("outline")
}

// Call calls fn protected, with values as arguments, inside a Run (L is the L of the task or of a function it called). The
// error is a *fault.Error with place and traceback; what, the first line of the traceback, is like "in agent 'orders'".
func (m *VM) Call(L *lua.LState, what string, fn lua.LValue, nret int, args ...lua.LValue) ([]lua.LValue, error) {
	panic("outline")
}

// Block gives the baton away while wait runs and takes it back: what every function that waits goes through. what says what it waits
// for ("time.sleep 1s", "http.get https://..."). wait gets the task's context and may touch no Lua value.
func (m *VM) Block(L *lua.LState, what string, wait func(ctx context.Context) error) error {
	panic("outline")
}

// Pause lets others have the baton if some wait and the slice is over; the cheap check that loops of ours make.
func (m *VM) Pause(L *lua.LState) { panic("outline") }

// Context is the context of the task that holds the baton; to be called by functions that Lua called.
func (m *VM) Context() context.Context { panic("outline") }

// Local gives a slot of the running task for the binding's own use (the event in hand); to be called with the baton held.
func (m *VM) Local() *any { panic("outline") }

// Loading tells whether the script is still being loaded (between New and Loaded).
func (m *VM) Loading() bool { panic("outline") }

// Loaded ends the loading phase: strict globals begin to forbid assignment inside functions.
func (m *VM) Loaded() { panic("outline") }

// TaskState is where a task stands.
type TaskState struct {
	Name  string
	State string // "running", "waiting", "ready"
	What  string // what it waits for
	Since time.Time
	Stack []fault.Frame // innermost first; of a running task best effort
}

// Tasks lists all tasks. It takes the baton if it can have it in a moment; else the holder's place is read as it runs.
func (m *VM) Tasks() []TaskState { panic("outline") }

// Holder tells which task has held the baton since when, and where it is now (best effort). ok is false if nobody holds it.
func (m *VM) Holder() (t TaskState, ok bool) { panic("outline") }

// Raise raises err in L: as an error object that keeps its identity (errors.Is after a round trip). An *fault.Error without place gets the
// caller's. It does not return.
func Raise(L *lua.LState, err error) { panic("outline") }

// AsError gives the *fault.Error behind an error object of Lua.
func AsError(v lua.LValue) (*fault.Error, bool) { panic("outline") }
