package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"faust/luabind/fault"
	"faust/runtime/app"
)

// environment is the process's environment with what --env-file adds to it.
type environment struct {
	vars map[string]string
	file string            // of --env-file; "": none
	from map[string]string // what came from the file
}

func readEnvironment(environ []string) environment {
	e := environment{vars: map[string]string{}, from: map[string]string{}}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok {
			e.vars[name] = value
		}
	}
	return e
}

func (e *environment) get(name string) string {
	if v := e.vars[name]; v != "" {
		return v
	}
	return e.from[name]
}

// addFile adds the variables of a file. What the environment has already wins. They are set in this process, so that scripts see them.
func (e *environment) addFile(path string) error {
	e.file = path
	return readVariables("--env-file", path, func(name, value string) error {
		if _, set := e.vars[name]; set {
			return nil
		}
		e.from[name] = value
		return os.Setenv(name, value)
	})
}

// readSecrets reads the file of --secrets, which env.secret finds and nothing else; path "": there is none.
func (s *session) readSecrets(path string) error {
	s.secrets = map[string]string{}
	if path == "" {
		return nil
	}
	return readVariables("--secrets", path, func(name, value string) error {
		s.secrets[name] = value
		return nil
	})
}

// readVariables reads the lines NAME=value of a file given by flag; # begins a comment, a value may stand in quotes.
func readVariables(flag, path string, add func(name, value string) error) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return usagef("%s '%s': %s", flag, path, cause(err))
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if name = strings.TrimSpace(name); !ok || name == "" || strings.ContainsAny(name, " \t") {
			return usagef("%s %s:%d: expected NAME=value", flag, path, n)
		}
		if err := add(name, unquote(strings.TrimSpace(value))); err != nil {
			return usagef("%s %s:%d: %s", flag, path, n, cause(err))
		}
	}
	return lines.Err()
}

func unquote(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	if i := strings.Index(value, " #"); i >= 0 {
		return strings.TrimSpace(value[:i])
	}
	return value
}

// layers are what the environment and the file say of settings. An empty variable is not set.
func (e *environment) layers() app.Layers {
	layer := func(vars map[string]string, origin func(env string) app.Origin) app.Layer {
		values := map[string]string{}
		for _, d := range app.Schema() {
			if v := vars[d.Env]; v != "" {
				values[d.Name] = v
			}
		}
		return app.Layer{Values: values, Origin: func(name string) app.Origin {
			d, _ := app.Lookup(name)
			return origin(d.Env)
		}}
	}
	return app.Layers{
		layer(e.vars, func(env string) app.Origin { return app.Origin(env) }),
		layer(e.from, func(env string) app.Origin { return app.Origin(fmt.Sprintf("%s in %s", env, e.file)) }),
	}
}

// production tells why a broker must not be chosen silently; "": it may be.
func (e *environment) production() string {
	switch {
	case strings.EqualFold(e.get("FAUST_ENV"), "production"):
		return "FAUST_ENV=production"
	case e.get("KUBERNETES_SERVICE_HOST") != "":
		return "this runs in Kubernetes"
	}
	return ""
}

// warnUnknown warns of FAUST_ variables that nothing reads. a may be nil.
func (e *environment) warnUnknown(w io.Writer, a *application) {
	known := []string{"FAUST_WORKDIR", "FAUST_ENV", "FAUST_DEBUG", "FAUST_SECRETS_DIR"}
	for _, d := range app.Schema() {
		known = append(known, d.Env)
	}
	if a != nil {
		for _, c := range a.script.App.Commands {
			for _, o := range c.Options {
				known = append(known, o.Env)
			}
		}
	}
	isKnown := map[string]bool{}
	for _, name := range known {
		isKnown[name] = true
	}
	for _, name := range e.names() {
		if !strings.HasPrefix(name, "FAUST_") || isKnown[name] {
			continue
		}
		if s := suggestVariable(name, known); s != "" {
			fmt.Fprintf(w, "warning: %s is set but unknown; did you mean %s?\n", name, s)
			continue
		}
		fmt.Fprintf(w, "warning: %s is set but unknown\n", name)
	}
}

// suggestVariable knows that FAUST_BROKER is the setting broker, whose variable has another name.
func suggestVariable(name string, known []string) string {
	if d, ok := app.Lookup(strings.ToLower(strings.TrimPrefix(name, "FAUST_"))); ok {
		return d.Env
	}
	return fault.Suggest(name, known)
}

func (e *environment) names() []string {
	var names []string
	for name := range e.vars {
		names = append(names, name)
	}
	for name := range e.from {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
