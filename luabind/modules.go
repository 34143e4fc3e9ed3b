package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/module"
)

// Failure is what fail(text) of a script raised: the command line shows the text alone and exits with 1.
type Failure = module.Failure

// helpers makes the helper modules and say, confirm, prompt and so on, for this script.
func (b *binding) helpers() *module.Set {
	return module.New(module.Config{
		Stdin: b.cfg.Stdin, Stdout: b.stdout, Stderr: b.cfg.Stderr, Logger: b.log, Quiet: b.cfg.Quiet, Yes: b.cfg.Yes,
	})
}

// modules are all modules by name: the helpers and those that need the app.
func (b *binding) modules() map[string]func(L *lua.LState) lua.LValue {
	all := b.module.Modules()
	all["web"] = b.webModule
	return all
}
