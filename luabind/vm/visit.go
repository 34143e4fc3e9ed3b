package vm

import "github.com/yuin/gopher-lua/ast"

// visitor calls its function for every table constructor.
type visitor func(*ast.TableExpr)

// visit calls f for every table constructor in chunk.
func visit(chunk []ast.Stmt, f func(*ast.TableExpr)) { visitor(f).stmts(chunk) }

func (v visitor) stmts(list []ast.Stmt) {
	for _, s := range list {
		v.stmt(s)
	}
}

func (v visitor) stmt(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		v.exprs(s.Lhs...)
		v.exprs(s.Rhs...)
	case *ast.LocalAssignStmt:
		v.exprs(s.Exprs...)
	case *ast.FuncCallStmt:
		v.exprs(s.Expr)
	case *ast.DoBlockStmt:
		v.stmts(s.Stmts)
	case *ast.WhileStmt:
		v.exprs(s.Condition)
		v.stmts(s.Stmts)
	case *ast.RepeatStmt:
		v.exprs(s.Condition)
		v.stmts(s.Stmts)
	case *ast.IfStmt:
		v.exprs(s.Condition)
		v.stmts(s.Then)
		v.stmts(s.Else)
	case *ast.NumberForStmt:
		v.exprs(s.Init, s.Limit, s.Step)
		v.stmts(s.Stmts)
	case *ast.GenericForStmt:
		v.exprs(s.Exprs...)
		v.stmts(s.Stmts)
	case *ast.FuncDefStmt:
		v.exprs(s.Func)
	case *ast.ReturnStmt:
		v.exprs(s.Exprs...)
	}
}

func (v visitor) exprs(list ...ast.Expr) {
	for _, e := range list {
		v.expr(e)
	}
}

func (v visitor) expr(e ast.Expr) {
	switch e := e.(type) {
	case *ast.TableExpr:
		v(e)
		for _, f := range e.Fields {
			v.exprs(f.Key, f.Value)
		}
	case *ast.AttrGetExpr:
		v.exprs(e.Object, e.Key)
	case *ast.FuncCallExpr:
		v.exprs(e.Func, e.Receiver)
		v.exprs(e.Args...)
	case *ast.LogicalOpExpr:
		v.exprs(e.Lhs, e.Rhs)
	case *ast.RelationalOpExpr:
		v.exprs(e.Lhs, e.Rhs)
	case *ast.StringConcatOpExpr:
		v.exprs(e.Lhs, e.Rhs)
	case *ast.ArithmeticOpExpr:
		v.exprs(e.Lhs, e.Rhs)
	case *ast.UnaryMinusOpExpr:
		v.exprs(e.Expr)
	case *ast.UnaryNotOpExpr:
		v.exprs(e.Expr)
	case *ast.UnaryLenOpExpr:
		v.exprs(e.Expr)
	case *ast.FunctionExpr:
		v.stmts(e.Stmts)
	}
}
