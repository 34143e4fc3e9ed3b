package vm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// modules is what a VM has for require.
type modules struct {
	loaded, preload *lua.LTable
	made            map[string]lua.LValue // built-in modules that were used
	files           map[string]*module    // by absolute path
	names           map[string]*module    // by the name under which package.loaded has them
}

// module is a file that is required or being required.
type module struct {
	name  string
	named bool // in package.loaded, where another file may have the name
	file  string
	value lua.LValue // nil: being loaded
	task  *task      // that loads it
	outer *module    // whose loading required it
	done  chan struct{}
}

var moduleName = regexp.MustCompile(`^[\w-]+([./][\w-]+)*$`)

// foreign says what serves instead of well-known modules that are C libraries elsewhere.
var foreign = map[string]string{
	"cjson": "use json: json.encode, json.decode", "dkjson": "use json: json.encode, json.decode",
	"socket": "use http for requests and time.sleep to wait", "socket.http": "use http: http.get(url)", "ssl": "use http: it speaks https",
	"lfs": "files are read with fs", "lpeg": "use string patterns or regex", "posix": "use env, time and os.getenv",
	"ffi": "there is no C here; say what you need it for", "bit": "use arithmetic: math.floor(x / 2^n) % 2", "bit32": "use arithmetic: math.floor(x / 2^n) % 2",
	"luasql": "databases are not in this version", "io": "files are not open to scripts; --unsafe opens io",
}

// openPackage makes package and require.
func (m *VM) openPackage() {
	L := m.root
	m.loaded, m.preload = L.NewTable(), L.NewTable()
	m.made, m.files, m.names = map[string]lua.LValue{}, map[string]*module{}, map[string]*module{}
	L.G.Registry.RawSetString("_LOADED", m.loaded)
	pkg := L.NewTable()
	pkg.RawSetString("loaded", m.loaded)
	pkg.RawSetString("preload", m.preload)
	pkg.RawSetString("path", lua.LString(""))
	pkg.RawSetString("cpath", lua.LString(""))
	pkg.RawSetString("config", lua.LString("/\n;\n?\n!\n-\n"))
	pkg.RawSetString("seeall", L.NewFunction(seeAll))
	m.loaded.RawSetString("package", pkg)
	L.G.Global.RawSetString("package", pkg)
	L.G.Global.RawSetString("require", L.NewFunction(m.require))
}

// seeAll(module): its undefined names are looked up among the globals.
func seeAll(L *lua.LState) int {
	mod := L.CheckTable(1)
	mt, ok := mod.Metatable.(*lua.LTable)
	if !ok {
		mt = L.NewTable()
		mod.Metatable = mt
	}
	mt.RawSetString("__index", L.G.Global)
	return 0
}

// builtin gives a built-in module, made now if need be; nil if there is none of that name.
func (m *VM) builtin(L *lua.LState, name string) lua.LValue {
	if v, ok := m.made[name]; ok {
		return v
	}
	open, ok := m.cfg.Modules[name]
	if !ok {
		return nil
	}
	v := open(L)
	m.made[name] = v
	m.loaded.RawSetString(name, v)
	return v
}

// require(name) -> module
func (m *VM) require(L *lua.LState) int {
	name := L.CheckString(1)
	v := m.loaded.RawGetString(name)
	own := m.names[name]
	if v != lua.LNil && (own == nil || own.value != v) {
		L.Push(v) // a library, a built-in module, or what a script put there
		return 1
	}
	if open, ok := m.preload.RawGetString(name).(*lua.LFunction); ok && v == lua.LNil {
		L.Push(m.open(L, &module{name: name, named: true, file: name}, open))
		return 1
	}
	if v := m.builtin(L, name); v != nil {
		L.Push(v)
		return 1
	}
	tried, file := m.lookup(L, name)
	switch {
	case file == "" && v != lua.LNil:
		L.Push(v)
	case file == "":
		L.Error(m.object(m.notFound(name, tried)), 0)
	default:
		L.Push(m.file(L, name, file))
	}
	return 1
}

// lookup looks for a module's file: next to the requiring file, then at the app's root, then in its lua_modules.
func (m *VM) lookup(L *lua.LState, name string) (tried []string, file string) {
	if !moduleName.MatchString(name) {
		return nil, ""
	}
	path := filepath.FromSlash(strings.ReplaceAll(name, ".", "/"))
	var seen []string
	for _, dir := range m.dirs(L) {
		for _, candidate := range []string{path + ".lua", filepath.Join(path, "init.lua")} {
			full := filepath.Join(dir, candidate)
			abs := absolute(full)
			if slices.Contains(seen, abs) {
				continue
			}
			seen = append(seen, abs)
			tried = append(tried, full)
			if info, err := os.Stat(full); err == nil && info.Mode().IsRegular() {
				return tried, full
			}
		}
	}
	return tried, ""
}

// dirs are the places where the running function's require looks.
func (m *VM) dirs(L *lua.LState) []string {
	var dirs []string
	for cf := currentFrame(L).Parent; cf != nil; cf = cf.Parent {
		if src := cf.Fn.Proto; src != nil && strings.HasSuffix(src.SourceName, ".lua") || src != nil && filepath.IsAbs(src.SourceName) {
			dirs = append(dirs, filepath.Dir(src.SourceName))
			break
		}
	}
	if m.cfg.Root != "" {
		dirs = append(dirs, m.cfg.Root, filepath.Join(m.cfg.Root, "lua_modules"))
	}
	return dirs
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// file gives the module of a file, loaded now if need be.
func (m *VM) file(L *lua.LState, name, file string) lua.LValue {
	abs := absolute(file)
	for {
		mod := m.files[abs]
		if mod == nil || mod.value != nil && mod.named && m.loaded.RawGetString(mod.name) != mod.value {
			break // new, or taken out of package.loaded to be loaded again
		}
		if mod.value != nil {
			return mod.value
		}
		if mod.task == m.current() {
			L.Error(m.object(m.cycle(mod, name)), 0)
		}
		err := m.Block(L, "require '"+name+"' by another task", func(ctx context.Context) error {
			select {
			case <-mod.done:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil {
			Raise(L, err)
		}
	}
	fn, err := m.Load(file)
	if err != nil {
		Raise(L, err)
	}
	mod := &module{name: name, file: file}
	if own := m.names[name]; own == nil || own.file == file {
		mod.named = true
		m.names[name] = mod
	}
	m.files[abs] = mod
	return m.open(L, mod, fn)
}

// open runs a module's function. Its errors pass as they are, so they keep their place.
func (m *VM) open(L *lua.LState, mod *module, fn *lua.LFunction) lua.LValue {
	t := m.current()
	mod.task, mod.outer, mod.done = t, t.requiring, make(chan struct{})
	t.requiring = mod
	defer func() {
		t.requiring = mod.outer
		close(mod.done)
		if mod.value == nil { // it raised: it may be required again
			delete(m.files, absolute(mod.file))
			if m.names[mod.name] == mod {
				delete(m.names, mod.name)
			}
		}
	}()
	L.Push(fn)
	L.Push(lua.LString(mod.name))
	L.Call(1, 1)
	v := L.Get(-1)
	L.Pop(1)
	if v == lua.LNil && mod.named {
		v = m.loaded.RawGetString(mod.name)
	}
	if v == lua.LNil {
		v = lua.LTrue
	}
	if mod.named {
		m.loaded.RawSetString(mod.name, v)
	}
	mod.value = v
	return v
}

// cycle is the error of a module that requires itself through others.
func (m *VM) cycle(mod *module, name string) *fault.Error {
	chain := []string{mod.file}
	for o := m.current().requiring; o != nil && o != mod; o = o.outer {
		chain = append(chain, o.file)
	}
	chain = append(chain, mod.file)
	slices.Reverse(chain)
	return &fault.Error{
		Code:    fault.Script,
		Message: fmt.Sprintf("module '%s' requires itself: %s", name, strings.Join(chain, " -> ")),
		Hints:   []string{"move what both need into a third module, or call require inside the function that uses it"},
	}
}

// notFound is the error of a module that is nowhere.
func (m *VM) notFound(name string, tried []string) *fault.Error {
	e := &fault.Error{Code: fault.Script, Message: fmt.Sprintf("module '%s' not found", name)}
	for _, t := range tried {
		e.Notes = append(e.Notes, fault.Note{Label: "tried", Text: shown(t)})
	}
	instead := foreign[name]
	if instead == "" {
		instead = foreign[strings.SplitN(name, ".", 2)[0]]
	}
	if instead != "" {
		e.Hints = append(e.Hints, instead)
		return e
	}
	if len(tried) == 0 {
		e.Hints = append(e.Hints, "a module's name has dots for slashes and no suffix: require 'lib.users'")
		return e
	}
	if s := fault.Suggest(name, m.nearby(name, tried)); s != "" {
		e.Hints = append(e.Hints, fmt.Sprintf("did you mean '%s'?", s))
	}
	return e
}

// shown is a path as it is told: from the working directory, if it is below it.
func shown(path string) string {
	if here, err := os.Getwd(); err == nil && filepath.IsAbs(path) {
		if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}

// nearby lists the names of modules that are where name was looked for.
func (m *VM) nearby(name string, tried []string) []string {
	var names []string
	for n := range m.cfg.Modules {
		names = append(names, n)
	}
	prefix := ""
	if i := strings.LastIndexAny(name, "./"); i >= 0 {
		prefix = name[:i+1]
	}
	for _, t := range tried {
		entries, err := os.ReadDir(filepath.Dir(t))
		if err != nil {
			continue
		}
		for _, entry := range entries {
			base := entry.Name()
			if !entry.IsDir() && strings.HasSuffix(base, ".lua") && base != "init.lua" {
				names = append(names, prefix+strings.TrimSuffix(base, ".lua"))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
