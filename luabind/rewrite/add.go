package rewrite

import (
	"github.com/yuin/gopher-lua/ast"
)

// add rewrites t[k] = t[k] + e; nil if the statement is nothing of the kind. in is the direct loop around it, if any. Nothing may happen when e is computed, since
// that is done before t[k] is read.
func (p *Pass) add(s *ast.AssignStmt, in *loopBody) *ast.IfStmt {
	if len(s.Lhs) != 1 || len(s.Rhs) != 1 {
		return nil
	}
	to, ok := s.Lhs[0].(*ast.AttrGetExpr)
	sum, isSum := s.Rhs[0].(*ast.ArithmeticOpExpr)
	if !ok || !isSum || sum.Operator != "+" {
		return nil
	}
	t, ok := to.Object.(*ast.IdentExpr)
	from, read := sum.Lhs.(*ast.AttrGetExpr)
	if !ok || !read || !p.keyed[t.Value] || !isIdent(from.Object, t.Value) {
		return nil
	}
	key := p.addKey(to.Key, from.Key, in)
	n := p.added(sum.Rhs, in)
	if key == nil || n == nil {
		return nil
	}
	p.adds++
	done := call(Add, sum, clone(t).(ast.Expr), key, n)
	not := &ast.UnaryNotOpExpr{Expr: done}
	at(not, sum)
	choose := &ast.IfStmt{Condition: not, Then: []ast.Stmt{s}}
	at(choose, s)
	return choose
}

// addKey gives what both keys are: a name, a constant, or a field of the loop variable; nil: they are something else.
func (*Pass) addKey(a, b ast.Expr, in *loopBody) ast.Expr {
	switch x := a.(type) {
	case *ast.StringExpr:
		if y, ok := b.(*ast.StringExpr); ok && x.Value == y.Value {
			return clone(x).(ast.Expr)
		}
	case *ast.IdentExpr:
		if isIdent(b, x.Value) && (in == nil || x.Value != in.w) {
			return clone(x).(ast.Expr)
		}
	case *ast.AttrGetExpr:
		if in == nil {
			return nil
		}
		field, ok := fieldOf(x, in.w)
		if other, also := fieldOf(b, in.w); ok && also && field == other {
			return in.variable(x, field)
		}
	}
	return nil
}

// added gives e, if nothing happens when it is computed; nil: it is not sure.
func (p *Pass) added(e ast.Expr, in *loopBody) ast.Expr {
	switch x := e.(type) {
	case *ast.NumberExpr:
		return clone(x).(ast.Expr)
	case *ast.IdentExpr:
		if p.fixed[x.Value] && (in == nil || x.Value != in.w) {
			return clone(x).(ast.Expr)
		}
	case *ast.AttrGetExpr:
		if in == nil {
			return nil
		}
		if field, ok := fieldOf(x, in.w); ok {
			return in.variable(x, field)
		}
	}
	return nil
}

// variable gives the loop variable that has a field; nil: there is none.
func (b *loopBody) variable(e ast.Expr, field string) ast.Expr {
	if !contains(b.fields, field) {
		return nil
	}
	b.used[field] = true
	return ident(variable(b.w, field), e)
}

// declaresTable tells whether the i-th value of a declaration is app.table(...).
func declaresTable(s *ast.LocalAssignStmt, i int) bool {
	if i >= len(s.Exprs) {
		return false
	}
	f, ok := s.Exprs[i].(*ast.FuncCallExpr)
	if !ok || f.Func == nil {
		return false
	}
	get, ok := f.Func.(*ast.AttrGetExpr)
	if !ok || !isIdent(get.Object, "app") {
		return false
	}
	name, ok := get.Key.(*ast.StringExpr)
	return ok && name.Value == "table"
}
