package vm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"

	"faust/luabind/rewrite"
)

// suite are the scripts that the engine's own test runs, by folder.
var suite = map[string][]string{
	"_glua-tests": {"base.lua", "coroutine.lua", "db.lua", "issues.lua", "os.lua", "table.lua", "vm.lua", "math.lua", "strings.lua", "goto.lua"},
	"_lua5.1-tests": {"attrib.lua", "calls.lua", "closure.lua", "constructs.lua", "events.lua", "literals.lua", "locals.lua", "math.lua", "sort.lua",
		"strings.lua", "vararg.lua", "pm.lua", "files.lua"},
}

// edit replaces the part of a script from one text to the end of another, because this machine differs on purpose.
type edit struct{ from, to, by, why string }

// edits lists what of the scripts cannot pass here. All else of them runs.
var edits = map[string][]edit{
	"_glua-tests/issues.lua": {
		{"local ok, result = xpcall(level1, function(err)", "-- issue 81", "", "a protected call has a thread of its own, and its traceback begins there"},
		{`message == "attempt to call a nil value"`, "", `message.message == "attempt to call a nil value"`, "errors of Lua are objects"},
		{`message == "attempt to call a number value"`, "", `message.message == "attempt to call a number value"`, "errors of Lua are objects"},
	},
	"_lua5.1-tests/attrib.lua": {
		{`local DIR = "libs/"`, `assert(not pcall(require, "file_does_not_exist1"))`, "",
			"require does not search by package.path, and the module cache cannot be written to"},
		{"package.path = oldpath", "", "", "the same"},
	},
	"_lua5.1-tests/files.lua": {
		{"assert(os.difftime(t1,t) <= 2)", "", "assert(os.difftime(t1,t) <= 100)", "a busy machine lets more than two seconds pass between two lines"},
	},
	"_lua5.1-tests/events.lua": {
		{"assert(tostring(a) == nil)", "", "assert(not pcall(tostring, a))", "__tostring must give a string, as from Lua 5.3 on"},
	},
}

// wording are the assertions on the engine's messages, which have words of our own here; that there is a message is still asserted.
var wording = regexp.MustCompile(`string\.find\((string\.lower\()?(msg|message)\)?, ("[^"]*"|m)(, 1, true)?\)`)

// hopeless is the load-time pass where nothing is what it hopes for.
func hopeless(chunk []ast.Stmt) ([]ast.Stmt, []lua.LValue) {
	var p rewrite.Pass
	out, changed := p.Chunk(chunk)
	if !changed {
		return out, nil
	}
	no := &lua.LFunction{IsG: true, GFunction: func(L *lua.LState) int { L.Push(lua.LFalse); return 1 }}
	hidden := make([]lua.LValue, len(rewrite.Hidden))
	for i := range hidden {
		hidden[i] = no
	}
	return out, hidden
}

// TestEngineSuite runs the engine's own scripts, from the module cache, in this machine. They define globals in functions, open files and use
// debug, so they run with Lax and Unsafe. Each runs as written and rewritten.
func TestEngineSuite(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yuin/gopher-lua").Output()
	if err != nil {
		t.Fatalf("the engine's folder is not known: %v", err)
	}
	for folder, names := range suite {
		for _, name := range names {
			t.Run(folder+"/"+name, func(t *testing.T) {
				t.Chdir(filepath.Join(strings.TrimSpace(string(dir)), folder))
				src, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				text := wording.ReplaceAllString(string(clean(src)), "#tostring($2) > 0")
				for _, e := range edits[folder+"/"+name] {
					before, rest, ok1 := strings.Cut(text, e.from)
					_, after, ok2 := strings.Cut(rest, e.to)
					if !ok1 || !ok2 {
						t.Fatalf("%q...%q is not in the script any more", e.from, e.to)
					}
					text = before + e.by + strings.Repeat("\n", strings.Count(text, "\n")-strings.Count(before+e.by+after, "\n")) + after
				}
				for _, pass := range []func([]ast.Stmt) ([]ast.Stmt, []lua.LValue){nil, hopeless} {
					if err := os.Unsetenv("_____GLUATEST______"); err != nil { // which os.lua sets
						t.Fatal(err)
					}
					var out bytes.Buffer
					m := open(t, Config{Lax: true, Unsafe: true, Stdout: &out, Pass: pass})
					if err := runChunk(t.Context(), m, name, text); err != nil {
						t.Errorf("with the load-time pass %v: %v\n%s", pass != nil, err, out.String())
					}
				}
			})
		}
	}
}
