package mend

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// flushed is how many list items of a table constructor the engine stores at a time.
const flushed = 50

// table has a table constructor compiled right. The engine takes a call in a last field with a name for the end of the list, and stores the last
// items again, from registers used for other things, with each field that follows a multiple of 50. Several values that follow as many it puts in the place
// of the last items.
func (m *mender) table(t *ast.TableExpr) {
	var named, items []*ast.Field
	for _, f := range t.Fields {
		if f.Key == nil {
			items = append(items, f)
			continue
		}
		named = append(named, f)
		one(f.Value)
	}
	if len(items) < flushed {
		return
	}
	last := items[len(items)-1]
	if t.Fields[len(t.Fields)-1] != last {
		one(last.Value)
	}
	t.Fields = append(named, items...)
	if several(last.Value) && len(items)%flushed == 1 {
		m.marks = append(m.marks, mark{of: last.Value, line: last.Value.Line()})
	}
}

// one has an expression give one value.
func one(e ast.Expr) {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
}

// mendNumber writes out a number that the engine cannot read.
func mendNumber(e *ast.NumberExpr) {
	if v, ok := bigNumber(e.Value); ok {
		e.Value = v
	}
}

// bigNumber gives a number that the engine reads as none in a way that it can read.
func bigNumber(text string) (string, bool) {
	if _, err := strconv.ParseInt(text, 0, 64); err == nil {
		return "", false
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return "", false
	} else if math.IsInf(v, 0) {
		return "inf", true
	}
	if i, ok := new(big.Int).SetString(text, 0); ok && strings.HasPrefix(strings.ToLower(text), "0x") {
		v, _ := new(big.Float).SetInt(i).Float64()
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}

// values3 is how many values a generic for is made of: an iterator, its state and where it is.
const values3 = 3

// fillFor writes out which values a generic for is made of. The engine fills up to the number of its variables only, and takes several values of a
// last call only if there are as many variables as expressions.
func fillFor(s *ast.GenericForStmt) {
	n := len(s.Exprs)
	last := s.Exprs[n-1]
	if several(last) {
		for i := len(s.Names); i < n && n <= values3; i++ {
			s.Names = append(s.Names, "(for value)")
		}
		return
	}
	for i := n; i < values3; i++ {
		none := &ast.NilExpr{}
		at(none, last)
		s.Exprs = append(s.Exprs, none)
	}
}

// apartFirst puts what a generic for computes first into a variable of its own, unless it is a name or a field of one; nil if it is. The engine forgets
// there that a call takes a register, and puts what comes next over it: for x in f().each().
func apartFirst(s *ast.GenericForStmt) ast.Stmt {
	first := &s.Exprs[0]
	switch e := s.Exprs[0].(type) {
	case *ast.Comma3Expr:
		return nil
	case *ast.FuncCallExpr:
		if first = &e.Func; e.Func == nil {
			first = &e.Receiver
		}
	}
	if !computesOver(*first) {
		return nil
	}
	id := &ast.IdentExpr{Value: "(for first)"}
	at(id, *first)
	compute := &ast.LocalAssignStmt{Names: []string{id.Value}, Exprs: []ast.Expr{*first}}
	at(compute, *first)
	*first = id
	out := &ast.DoBlockStmt{Stmts: []ast.Stmt{compute, s}}
	at(out, s)
	return out
}

// computesOver tells whether something may be put over what is computed first of e.
func computesOver(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		return computesOver(e.Object)
	case *ast.IdentExpr, *ast.StringExpr, *ast.NumberExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr, *ast.TableExpr, *ast.FunctionExpr:
		return false
	}
	return true
}

// several tells whether an expression may be several values.
func several(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		return !e.AdjustRet
	case *ast.Comma3Expr:
		return !e.AdjustRet
	}
	return false
}
