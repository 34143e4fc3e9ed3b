package app

import (
	"path/filepath"
	"sort"
	"strings"
)

// BuiltinCommands gives the commands that every app has in this version.
func BuiltinCommands() []string {
	return strings.Fields(`worker repl broker status healthcheck agents topics models model tasks pages config tables get scan tail send ask dlq reset clean-versions completion version help`)
}

// ReservedCommands gives the names of all built-in commands, of this and of later versions, sorted: no app command may have one.
func ReservedCommands() []string {
	later := `graph replay offsets
		top check test fmt init types doctor build plan report demo tutorial upgrade lsp
		reload run`
	names := append(BuiltinCommands(), strings.Fields(later)...)
	sort.Strings(names)
	return names
}

// Reserved tells whether a command of that name is, or will be, built in.
func Reserved(name string) bool {
	for _, n := range ReservedCommands() {
		if n == name {
			return true
		}
	}
	return false
}

// DefaultID derives the app's id from the script's path: the file's name without extension, for app.lua, main.lua and init.lua the
// folder's. Characters that an id cannot have become '-'.
func DefaultID(file string) string {
	base := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	if base == "app" || base == "main" || base == "init" {
		if abs, err := filepath.Abs(file); err == nil {
			if dir := filepath.Base(filepath.Dir(abs)); dir != string(filepath.Separator) && dir != "." {
				base = dir
			}
		}
	}
	id := strings.Trim(strings.Map(func(r rune) rune {
		if r == '.' || r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '-'
	}, base), "-.")
	if id == "" {
		return "app"
	}
	return id[:min(len(id), 150)]
}

// FileLayer is the weakest layer of a script's settings: what follows from its path.
func FileLayer(file string) Layer {
	return LayerOf(DefaultOrigin, map[string]string{"id": DefaultID(file)})
}
