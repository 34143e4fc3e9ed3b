package mend

import (
	"slices"

	"github.com/yuin/gopher-lua/ast"
)

// pad puts an operation that does nothing where a jump back would meet a jump. The engine follows jumps to their end while it compiles, and reads those
// that it has compiled already as something else.
func pad(chunk []ast.Stmt) []ast.Stmt {
	var p below
	p.block = func(list *[]ast.Stmt) {
		for i, s := range *list {
			p.ofStmt(s)
			padLoop(s)
			if _, ok := s.(*ast.LabelStmt); ok && begins((*list)[i+1:]) == jumps {
				*list = slices.Insert(slices.Clone(*list), i+1, nothing(s))
			}
		}
	}
	p.expr = func(e ast.Expr) { p.ofExpr(e) }
	p.block(&chunk)
	return chunk
}

// padLoop is pad for the place where a loop begins again. A numeric for has its own way back.
func padLoop(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.WhileStmt:
		switch {
		case choosesByConstant(s.Condition):
			leave, until := &ast.BreakStmt{}, &ast.UnaryNotOpExpr{Expr: s.Condition}
			at(leave, s.Condition)
			at(until, s.Condition)
			check := &ast.IfStmt{Condition: until, Then: []ast.Stmt{leave}}
			at(check, s.Condition)
			always := &ast.TrueExpr{}
			at(always, s.Condition)
			s.Condition, s.Stmts = always, append([]ast.Stmt{nothing(s), check}, s.Stmts...)
		case begins(s.Stmts) == jumps:
			s.Stmts = append([]ast.Stmt{nothing(s)}, s.Stmts...)
		}
	case *ast.RepeatStmt:
		if b := begins(s.Stmts); b == jumps || b == empty && choosesByConstant(s.Condition) {
			s.Stmts = append([]ast.Stmt{nothing(s)}, s.Stmts...)
		}
	case *ast.GenericForStmt:
		if begins(s.Stmts) == jumps {
			s.Stmts = append([]ast.Stmt{nothing(s)}, s.Stmts...)
		}
	}
}

// nothing is a statement that does nothing, in one instruction.
func nothing(of ast.Stmt) ast.Stmt {
	l := &ast.LocalAssignStmt{Names: []string{"(nothing)"}}
	at(l, of)
	do := &ast.DoBlockStmt{Stmts: []ast.Stmt{l}}
	at(do, of)
	return do
}

// beginning is what the code of statements begins with.
type beginning int

const (
	empty    beginning = iota // there is none
	operates                  // an instruction that is no jump
	jumps                     // a jump, or it cannot be told
)

// begins tells what the code of statements begins with.
func begins(list []ast.Stmt) beginning {
	for _, s := range list {
		if b := beginsWith(s); b != empty {
			return b
		}
	}
	return empty
}

func beginsWith(s ast.Stmt) beginning {
	var of []ast.Expr
	switch s := s.(type) {
	case *ast.LabelStmt:
		return empty
	case *ast.BreakStmt:
		return jumps
	case *ast.DoBlockStmt:
		return begins(s.Stmts)
	case *ast.WhileStmt:
		return condition(s.Condition, s.Stmts, jumps)
	case *ast.IfStmt:
		after := empty
		if len(s.Else) > 0 {
			after = jumps
		}
		return condition(s.Condition, s.Then, after)
	case *ast.RepeatStmt:
		if b := begins(s.Stmts); b != empty {
			return b
		}
		return jumps
	case *ast.AssignStmt:
		of = append(append(of, s.Lhs...), s.Rhs...)
	case *ast.LocalAssignStmt:
		of = s.Exprs
	case *ast.FuncCallStmt:
		of = []ast.Expr{s.Expr}
	case *ast.NumberForStmt:
		of = []ast.Expr{s.Init}
	case *ast.GenericForStmt:
		of = s.Exprs
	case *ast.ReturnStmt:
		of = s.Exprs
	}
	for _, e := range of {
		if choosesByConstant(e) {
			return jumps
		}
	}
	return operates
}

// condition tells what begins a statement with a condition, a block, and after it what is given.
func condition(c ast.Expr, block []ast.Stmt, after beginning) beginning {
	switch c.(type) {
	case *ast.TrueExpr, *ast.NumberExpr, *ast.StringExpr:
		if b := begins(block); b != empty {
			return b
		}
		return after
	}
	if constant(c) || choosesByConstant(c) {
		return jumps
	}
	return operates
}

// choosesByConstant tells whether there is an `and` or `or` in e that begins with a constant, which is compiled to a jump.
func choosesByConstant(e ast.Expr) bool {
	found := false
	var b below
	b.block = func(*[]ast.Stmt) {}
	b.expr = func(e ast.Expr) {
		if l, ok := e.(*ast.LogicalOpExpr); ok && constant(l.Lhs) {
			found = true
		}
		b.ofExpr(e)
	}
	b.expr(e)
	return found
}

// constant tells whether e is one, as far as conditions are concerned.
func constant(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.UnaryNotOpExpr:
		return constant(e.Expr)
	case *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr, *ast.NumberExpr, *ast.StringExpr:
		return true
	}
	return false
}
