// Package module is the helper modules that scripts use: json, time, random, uuid, log, env, and say, confirm, prompt, fail, pp, inspect.
// Required things are arguments, the rest one table of options; what waits goes through vm.Block; errors raise.
package module
