package console

import (
	"errors"
	"math"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"

	"faust/luabind/fault"
)

// keyword is what is put before an expression so that its values come back.
const keyword = "return "

// input is an input as it is compiled.
type input struct {
	name   string // in places
	text   string // as typed
	at     int    // where the keyword was put in; -1: nowhere, it is statements only
	chunk  string // what is compiled
	line   int    // the keyword's place in it, counted from 1
	column int
}

// verdict is what reading an input came to.
type verdict int

const (
	complete verdict = iota
	incomplete
	wrong
)

// read takes a text for an expression, else for statements, else for statements with an expression at the end. The error, which explain makes
// readable, is that of the reading which got further.
func read(name, text string) (input, verdict, error) {
	in := newInput(name, text, 0)
	asExpression := parsed(in.chunk)
	if asExpression == nil {
		return in, complete, nil
	}
	plain := newInput(name, text, -1)
	asStatements := parsed(text)
	if asStatements == nil {
		return plain, complete, nil
	}
	mixed, asMixed := lastExpression(name, text)
	switch {
	case mixed.name != "" && asMixed == nil:
		return mixed, complete, nil
	case endsEarly(asStatements, text):
		return plain, incomplete, asStatements
	case endsEarly(asExpression, text):
		return in, incomplete, asExpression
	case mixed.name != "":
		return mixed, incomplete, asMixed
	case further(asExpression, asStatements, in):
		return in, wrong, asExpression
	}
	return plain, wrong, asStatements
}

func newInput(name, text string, at int) input {
	in := input{name: name, text: text, at: at, chunk: text}
	if at < 0 {
		return in
	}
	in.chunk = text[:at] + keyword + text[at:]
	before := text[:at]
	in.line = strings.Count(before, "\n") + 1
	in.column = at - strings.LastIndexByte(before, '\n')
	return in
}

func parsed(text string) error {
	_, err := parse.Parse(strings.NewReader(text), "")
	return err
}

// explain makes the error for who typed it of one of the parser.
func (in *input) explain(err error) error {
	err = fault.FromCompile(in.name, in.chunk, err)
	in.mend(err)
	return err
}

// endsEarly tells whether more text could make an input whole that was refused with err.
func endsEarly(err error, text string) bool {
	var at *parse.Error
	if !errors.As(err, &at) || at.Pos.Line != parse.EOF {
		return false
	}
	if at.Message != "unterminated string" {
		return true
	}
	// A string goes on in the next line only after a backslash.
	text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// further tells whether the expression of in was read further than the same text as statements.
func further(expression, statements error, in input) bool {
	line, column := where(expression)
	if line == in.line {
		column -= len(keyword)
	}
	other, otherColumn := where(statements)
	return line > other || line == other && column > otherColumn
}

// where gives the place at which the parser gave up.
func where(err error) (line, column int) {
	var at *parse.Error
	switch {
	case !errors.As(err, &at):
		return 0, 0
	case at.Pos.Line == parse.EOF:
		return math.MaxInt, 0
	}
	return at.Pos.Line, at.Pos.Column
}

// splits is how many ends of statements lastExpression tries.
const splits = 8

// lastExpression takes a text for statements with an expression in the last lines or after the last semicolon: a whole one, or with an error
// one that goes on. Without a name there is none.
func lastExpression(name, text string) (in input, err error) {
	end := len(strings.TrimRight(text, " \t\r\n;"))
	for range splits {
		end = strings.LastIndexAny(text[:end], "\n;")
		if end < 0 {
			break
		}
		if strings.TrimSpace(text[:end]) == "" || parsed(text[:end]) != nil {
			continue
		}
		last := newInput(name, text, end+1)
		err := parsed(last.chunk)
		if err == nil || endsEarly(err, text) {
			return last, err
		}
	}
	return input{}, nil
}

// keepLocals makes variables of the locals at the top level of a chunk, so that they stay.
func keepLocals(chunk []ast.Stmt) []ast.Stmt {
	for i, s := range chunk {
		local, ok := s.(*ast.LocalAssignStmt)
		if !ok {
			continue
		}
		assign := &ast.AssignStmt{Rhs: local.Exprs}
		assign.SetLine(local.Line())
		assign.SetLastLine(local.LastLine())
		for j, name := range local.Names {
			for _, later := range local.Names[j+1:] {
				if later == name {
					name = "(hidden)" // by the later one
				}
			}
			ident := &ast.IdentExpr{Value: name}
			ident.SetLine(local.Line())
			assign.Lhs = append(assign.Lhs, ident)
		}
		chunk[i] = assign
	}
	return chunk
}

// mend takes the keyword out of the places that err has in the input.
func (in *input) mend(err error) {
	var list fault.List
	var one *fault.Error
	if errors.As(err, &list) {
		for _, e := range list {
			in.mendError(e)
		}
	} else if errors.As(err, &one) {
		in.mendError(one)
	}
}

func (in *input) mendError(e *fault.Error) {
	in.mendPlace(&e.Place)
	for i := range e.Marks {
		in.mendPlace(&e.Marks[i].Place)
	}
	for i := range e.Trace {
		in.mendPlace(&e.Trace[i].Place)
	}
}

func (in *input) mendPlace(p *fault.Place) {
	if in.at < 0 || p.File != in.name || p.Line != in.line {
		return
	}
	if p.Column >= in.column+len(keyword) {
		p.Column -= len(keyword)
	}
	if p.EndColumn >= in.column+len(keyword) {
		p.EndColumn -= len(keyword)
	}
}
