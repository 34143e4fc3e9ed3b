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
	"faust/luabind/mend"
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
	return m.LoadText(src, file)
}

// LoadText is Load of a text that was read already.
func (m *VM) LoadText(src []byte, file string) (*lua.LFunction, error) {
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
	return m.Compile(src, name)
}

// Compile makes a function of a text that is no file of the app, without the load-time pass; to be called with the baton held. name stands for the
// file in places. The error is a *fault.Error or fault.List.
func (m *VM) Compile(src, name string) (*lua.LFunction, error) {
	chunk, err := read(src, name)
	if err != nil {
		return nil, err
	}
	if err := fault.Check(name, src); err != nil {
		return nil, err
	}
	proto, err := mend.Compile(chunk, name)
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
	return chunk, checkLists(chunk, name)
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
	proto, err := mend.Compile(chunk, name)
	if err != nil {
		return nil
	}
	if chunk, err = read(src, name); err != nil {
		return nil
	}
	fault.MarkNodes(chunk)
	original, err := mend.Compile(chunk, name)
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
	mend.Tables(chunk, func(t *ast.TableExpr) {
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
