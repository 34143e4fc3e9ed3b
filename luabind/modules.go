package luabind

import (
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
