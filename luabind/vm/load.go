package vm

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"faust/luabind/fault"
)

// maxListItems is how many list items of one table constructor the engine keeps; it drops the rest without a word.
const maxListItems = 25550

// Load compiles a file: shebang and BOM are dropped. Its name in places is file as given. The error is a *fault.Error or fault.List, or
// that of reading the file.
func (m *VM) Load(file string) (*lua.LFunction, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return m.compile(string(clean(src)), file)
}

// clean drops a BOM and blanks a shebang line, keeping the line numbers.
func clean(src []byte) []byte {
	src = bytes.TrimPrefix(src, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(src, []byte("#")) {
		end := bytes.IndexByte(src, '\n')
		if end < 0 {
			return nil
		}
		src = src[end:]
	}
	return src
}

// compile makes a function of src, with the load-time pass applied if there is one; without it if the result is too large for the engine.
func (m *VM) compile(src, name string) (*lua.LFunction, error) {
	if fn := m.rewritten(src, name); fn != nil {
		return fn, nil
	}
	chunk, err := read(src, name)
	if err != nil {
		return nil, err
	}
	if err := fault.Check(name, src); err != nil {
		return nil, err
	}
	proto, err := lua.Compile(chunk, name)
	if err != nil {
		return nil, fault.FromCompile(name, src, err)
	}
	fault.KeepSource(m.root, name, src)
	m.publish()
	return m.root.NewFunctionFromProto(proto), nil
}

// read parses a source.
func read(src, name string) ([]ast.Stmt, error) {
	chunk, err := parse.Parse(strings.NewReader(src), name)
	if err != nil {
		return nil, fault.FromCompile(name, src, err)
	}
	visit(chunk, mendTable)
	return chunk, checkLists(chunk, name)
}

// flushed is how many list items of a table constructor the engine stores at a time.
const flushed = 50

// mendTable has a table constructor compiled right. The engine takes a call in a last field with a name for the end of the list, as in
// { 1, n = f() }, and stores the last items again, from registers used for other things, with each field that follows a multiple of 50.
func mendTable(t *ast.TableExpr) {
	var named, items []*ast.Field
	for _, f := range t.Fields {
		if f.Key == nil {
			items = append(items, f)
			continue
		}
		named = append(named, f)
		switch v := f.Value.(type) {
		case *ast.FuncCallExpr:
			v.AdjustRet = true
		case *ast.Comma3Expr:
			v.AdjustRet = true
		}
	}
	if len(items) >= flushed {
		t.Fields = append(named, items...)
	}
}

// rewritten makes a function of src with the load-time pass applied; nil if there is nothing to change, or something wrong.
func (m *VM) rewritten(src, name string) *lua.LFunction {
	if m.cfg.Pass == nil {
		return nil
	}
	chunk, err := read(src, name)
	if err != nil {
		return nil
	}
	fault.MarkNodes(chunk)
	chunk, hidden := m.cfg.Pass(chunk)
	if hidden == nil || fault.Check(name, src) != nil {
		return nil
	}
	proto, err := lua.Compile(chunk, name)
	if err != nil {
		return nil
	}
	if chunk, err = read(src, name); err != nil {
		return nil
	}
	fault.MarkNodes(chunk)
	original, err := lua.Compile(chunk, name)
	if err != nil || !fault.Adopt(proto, original) {
		return nil
	}
	fault.KeepSource(m.root, name, src)
	m.publish()
	th, _ := m.root.NewThread()
	if err := th.CallByParam(lua.P{Fn: m.root.NewFunctionFromProto(proto), NRet: 1, Protect: true}, hidden...); err != nil {
		return nil
	}
	return th.Get(-1).(*lua.LFunction)
}

// publish makes compiled code visible to those who read, with m.mu held, which code a task executes: what runs during
// that was published before.
func (m *VM) publish() {
	m.mu.Lock()
	m.chunks++
	m.mu.Unlock()
}

// checkLists finds table constructors that the engine would cut off.
func checkLists(chunk []ast.Stmt, file string) error {
	var found error
	visit(chunk, func(t *ast.TableExpr) {
		n := 0
		for _, f := range t.Fields {
			if f.Key == nil {
				n++
			}
		}
		if n > maxListItems && found == nil {
			found = &fault.Error{
				Code:    fault.Syntax,
				Message: fmt.Sprintf("a table constructor with %d list items: at most %d are possible", n, maxListItems),
				Place:   fault.Place{File: file, Line: t.Line()},
				Hints:   []string{"split it, fill the table in a loop, or read the data from a file"},
			}
		}
	})
	return found
}
