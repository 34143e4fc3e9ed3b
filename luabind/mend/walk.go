package mend

import "github.com/yuin/gopher-lua/ast"

// below says what stands directly below a statement or an expression.
type below struct {
	block func(*[]ast.Stmt)
	expr  func(ast.Expr)
}

func (b below) exprs(list ...ast.Expr) {
	for _, e := range list {
		if e != nil {
			b.expr(e)
		}
	}
}

func (b below) ofStmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		b.exprs(s.Lhs...)
		b.exprs(s.Rhs...)
	case *ast.LocalAssignStmt:
		b.exprs(s.Exprs...)
	case *ast.FuncCallStmt:
		b.exprs(s.Expr)
	case *ast.DoBlockStmt:
		b.block(&s.Stmts)
	case *ast.WhileStmt:
		b.exprs(s.Condition)
		b.block(&s.Stmts)
	case *ast.RepeatStmt:
		b.block(&s.Stmts)
		b.exprs(s.Condition)
	case *ast.IfStmt:
		b.exprs(s.Condition)
		b.block(&s.Then)
		b.block(&s.Else)
	case *ast.NumberForStmt:
		b.exprs(s.Init, s.Limit, s.Step)
		b.block(&s.Stmts)
	case *ast.GenericForStmt:
		b.exprs(s.Exprs...)
		b.block(&s.Stmts)
	case *ast.FuncDefStmt:
		b.exprs(s.Name.Func, s.Name.Receiver, s.Func)
	case *ast.ReturnStmt:
		b.exprs(s.Exprs...)
	}
}

func (b below) ofExpr(e ast.Expr) {
	switch e := e.(type) {
	case *ast.TableExpr:
		for _, f := range e.Fields {
			b.exprs(f.Key, f.Value)
		}
	case *ast.AttrGetExpr:
		b.exprs(e.Object, e.Key)
	case *ast.FuncCallExpr:
		b.exprs(e.Func, e.Receiver)
		b.exprs(e.Args...)
	case *ast.LogicalOpExpr:
		b.exprs(e.Lhs, e.Rhs)
	case *ast.RelationalOpExpr:
		b.exprs(e.Lhs, e.Rhs)
	case *ast.StringConcatOpExpr:
		b.exprs(e.Lhs, e.Rhs)
	case *ast.ArithmeticOpExpr:
		b.exprs(e.Lhs, e.Rhs)
	case *ast.UnaryMinusOpExpr:
		b.exprs(e.Expr)
	case *ast.UnaryNotOpExpr:
		b.exprs(e.Expr)
	case *ast.UnaryLenOpExpr:
		b.exprs(e.Expr)
	case *ast.FunctionExpr:
		b.block(&e.Stmts)
	}
}

// mentions tells whether a name occurs in e.
func mentions(e ast.Expr, name string) bool {
	found := false
	var all below
	all.block = func(list *[]ast.Stmt) {
		for _, s := range *list {
			all.ofStmt(s)
		}
	}
	all.expr = func(e ast.Expr) {
		if id, ok := e.(*ast.IdentExpr); ok && id.Value == name {
			found = true
		}
		all.ofExpr(e)
	}
	all.expr(e)
	return found
}

// Tables calls f for every table constructor in chunk.
func Tables(chunk []ast.Stmt, f func(*ast.TableExpr)) {
	var all below
	all.block = func(list *[]ast.Stmt) {
		for _, s := range *list {
			all.ofStmt(s)
		}
	}
	all.expr = func(e ast.Expr) {
		if t, ok := e.(*ast.TableExpr); ok {
			f(t)
		}
		all.ofExpr(e)
	}
	all.block(&chunk)
}
