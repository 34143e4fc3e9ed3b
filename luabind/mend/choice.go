package mend

import "github.com/yuin/gopher-lua/ast"

// operand is one of the expressions that are put together by `and` and `or`.
type operand struct {
	ast.Expr
	yes, no bool // if it is true, or false, then it is the value of the whole
	or      bool // it is, or ends, the left side of an `or`
}

// anyOperand tells whether f holds for an operand of e, which has some if it is an `and` or an `or`.
func anyOperand(e ast.Expr, f func(operand) bool) bool {
	_, ok := e.(*ast.LogicalOpExpr)
	return ok && operand{Expr: e, yes: true, no: true}.any(f)
}

func (o operand) any(f func(operand) bool) bool {
	l, ok := o.Expr.(*ast.LogicalOpExpr)
	if !ok {
		return f(o)
	}
	left := operand{Expr: l.Lhs, no: o.no}
	if l.Operator == "or" {
		left = operand{Expr: l.Lhs, yes: o.yes, or: true}
	}
	right := o
	right.Expr = l.Rhs
	return left.any(f) || right.any(f)
}

// keepsEarly tells whether a part of e is put into the place of its value before the rest of e is computed. The engine does so with what is on the
// left of an `or` whatever comes then: (a or b) and c.
func keepsEarly(e ast.Expr) bool {
	return anyOperand(e, func(o operand) bool {
		_, compares := o.Expr.(*ast.RelationalOpExpr)
		return o.or && !o.yes && !compares
	})
}

// leaves tells whether the value of e may be left where it was computed, instead of getting to its place, if that is a variable. The engine does so with
// what is on the left of an `and` and is the value of the whole if it is false: f() and 1.
func (m *mender) leaves(e ast.Expr) bool {
	return anyOperand(e, func(o operand) bool {
		if !o.no || o.yes {
			return false
		}
		switch o.Expr.(type) {
		case *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr, *ast.NumberExpr, *ast.StringExpr, *ast.RelationalOpExpr:
			return false
		}
		return m.own(o.Expr) == nil
	})
}
