// Package mend has the engine compile scripts right. The engine's compiler gets some forms wrong without a word; Compile gives it others that mean
// what was written, and puts right what only the code shows. What the engine compiles right stays as it is, and so do lines and the order of operations.
//
//   - A jump back to a place that begins with a jump goes anywhere: what begins a loop, or follows a label, with one gets an operation that does nothing in front.
//   - A goto closes all variables of its function that are captured, not those that it leaves: the register to close from is put into its code.
//   - break leaves captured variables of inner blocks open, which then share their place with others: it becomes a goto to a label behind the loop.
//   - Of a, b = b, a the second value is computed when the first is assigned already: all values are computed into variables of their own.
//   - a = f() and 1 leaves a as it is if f() is false: the value is computed into a variable of its own.
//   - a, b = (...), 1 puts the second value over another variable: the same.
//   - local f = function() return f() end calls itself, as if it were local function f: another value follows the function.
//   - for x in f does not clear what f is called with: the missing values are written out.
//   - for x in f().each() puts the name over what f gave: what such a loop computes first gets a variable.
//   - { 1, n = f() } takes the call for the end of the list, a field after a multiple of 50 items stores the last items again, and a call after
//     that many puts its values in the place of items: the fields come first, and the number of the part of the list is put into its code.
//   - 1e400 and hexadecimal numbers of more than 63 bits are no numbers.
package mend

import (
	"errors"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// Compile compiles a chunk, which is changed. name is that of its source. The error is the engine's.
func Compile(chunk []ast.Stmt, name string) (*lua.FunctionProto, error) {
	m := &mender{}
	m.chunk(chunk)
	chunk = pad(chunk)
	for i := range m.marks {
		of := m.marks[i].of
		of.SetLastLine(m.marks[i].line) // else the engine takes the mark for the line where what ends with the node ends
		of.SetLine(marked | i)
	}
	proto, err := lua.Compile(chunk, name)
	for _, k := range m.marks {
		k.of.SetLine(k.line)
	}
	if err != nil {
		var wrong *lua.CompileError
		if errors.As(err, &wrong) && len(m.marks) > 0 {
			return lua.Compile(chunk, name) // its error names lines
		}
		return nil, err
	}
	m.correct(proto)
	return proto, nil
}

// marked is what the lines of nodes with a mark are while they are compiled, with its index below: above every line, and every mark of package fault.
const marked = 1 << 62

// mark is of a node with an instruction to be put right: of a goto, and of a call or `...` that ends a list.
type mark struct {
	of       ast.PositionHolder
	line     int
	register int // from which on a goto has to close the variables that it leaves
}

// correct puts the code of the nodes with marks right, which have their lines again.
func (m *mender) correct(p *lua.FunctionProto) {
	for pc, line := range p.DbgSourcePositions {
		if line < marked {
			continue
		}
		k := m.marks[line-marked]
		p.DbgSourcePositions[pc] = k.line
		switch int(p.Code[pc] >> opShift) {
		case lua.OP_CLOSE:
			p.Code[pc] = uint32(lua.OP_CLOSE<<opShift | k.register<<registerShift) //nolint:gosec // registers are few
		case lua.OP_SETLIST:
			p.Code[pc] += 1 << partShift
		}
	}
	for _, child := range p.FunctionPrototypes {
		m.correct(child)
	}
}

// Where an instruction has its operation, its first register, and, of a list, which part of it.
const (
	opShift       = 26
	registerShift = 18
	partShift     = 9
)
