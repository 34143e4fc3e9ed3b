// Package luabind turns a script into an app and its callbacks: one file per Lua type. A binding function takes its arguments, makes
// one call into the runtime and pushes the result.
package luabind

import (
	"io"

	"faust/luabind/vm"
	"faust/runtime/app"
)

// Config says how a script is loaded.
type Config struct {
	Stdin     io.Reader
	Stdout    io.Writer // print, say
	Stderr    io.Writer
	LoadPrint io.Writer  // where top-level print goes while loading; nil: Stdout
	Layers    app.Layers // flags and environment, above app.configure
	Lax       bool
	Unsafe    bool
	NoPass    bool // without the load-time pass
	Yes       bool // confirm answers itself
	Quiet     bool // say is silent
}

// Script is a loaded script: the app it declared and the machine its callbacks run in.
type Script struct {
	App *app.App
	VM  *vm.VM
}

// Load runs the file once in definition mode: it declares, touches no network and starts nothing. The error is a *fault.Error, a
// fault.List, or an error of the file system.
func Load(path string, cfg Config) (*Script, error) { panic("outline") }

// Close releases the machine.
func (s *Script) Close() { panic("outline") }
