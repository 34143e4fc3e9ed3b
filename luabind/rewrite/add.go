package rewrite

import (
	"github.com/yuin/gopher-lua/ast"
)

// add rewrites t[k] = t[k] + e; nil if the statement is nothing of the kind. in is the direct loop around it, if any. Nothing may happen when e is computed, since
// that is done before t[k] is read.
func (p *Pass) add(s *ast.AssignStmt, in *loopBody) *ast.IfStmt {
	t, key, e := p.sum(s)
	if t == nil {
		return nil
	}
	if choose := p.addOwn(s, in, t, key, e); choose != nil {
		return choose
	}
	k, n := p.addKey(key, in), p.added(e, in)
	if k == nil || n == nil {
		return nil
	}
	p.adds++
	return unless(call(Add, s.Rhs[0], clone(t).(ast.Expr), k, n), s)
}

// unless makes if not done then s end.
func unless(done ast.Expr, s *ast.AssignStmt) *ast.IfStmt {
	not := &ast.UnaryNotOpExpr{Expr: done}
	at(not, s.Rhs[0])
	choose := &ast.IfStmt{Condition: not, Then: []ast.Stmt{s}}
	at(choose, s)
	return choose
}

// addOwn rewrites t[w.x] = t[w.x] + e in a direct loop, in which w is only read: the key is taken from w where it is, and e as well if it is a field of w; nil: it is
// something else.
func (p *Pass) addOwn(s *ast.AssignStmt, in *loopBody, t *ast.IdentExpr, key, e ast.Expr) *ast.IfStmt {
	if in == nil || len(in.adds) == maxAdds {
		return nil
	}
	field, ok := fieldOf(key, in.w)
	if !ok || !contains(in.fields, field) {
		return nil
	}
	own, args := []string{field, ""}, []ast.Expr(nil)
	if own[1], ok = fieldOf(e, in.w); !ok {
		n := p.added(e, in)
		if n == nil {
			return nil
		}
		args = append(args, n)
	}
	p.site(Site{Own: own})
	name := in.add(len(p.Sites)-1, t)
	in.written = append(in.written, s)
	done := &ast.LogicalOpExpr{Operator: "and", Lhs: ident(name, s.Rhs[0]), Rhs: call(name, s.Rhs[0], args...)}
	at(done, s.Rhs[0])
	return unless(done, s)
}

// sum takes t[k] = t[k] + e apart, where t is a local that stays a table; nil: it is something else.
func (p *Pass) sum(s *ast.AssignStmt) (t *ast.IdentExpr, key, e ast.Expr) {
	if len(s.Lhs) != 1 || len(s.Rhs) != 1 {
		return nil, nil, nil
	}
	to, ok := s.Lhs[0].(*ast.AttrGetExpr)
	sum, isSum := s.Rhs[0].(*ast.ArithmeticOpExpr)
	if !ok || !isSum || sum.Operator != "+" {
		return nil, nil, nil
	}
	t, ok = to.Object.(*ast.IdentExpr)
	from, read := sum.Lhs.(*ast.AttrGetExpr)
	if !ok || !read || !p.keyed[t.Value] || !isIdent(from.Object, t.Value) || !sameKey(to.Key, from.Key) {
		return nil, nil, nil
	}
	return t, to.Key, sum.Rhs
}

// sameKey tells whether both are the same name, constant, or field of the same name.
func sameKey(a, b ast.Expr) bool {
	switch x := a.(type) {
	case *ast.StringExpr:
		y, ok := b.(*ast.StringExpr)
		return ok && x.Value == y.Value
	case *ast.IdentExpr:
		return isIdent(b, x.Value)
	case *ast.AttrGetExpr:
		y, ok := b.(*ast.AttrGetExpr)
		of, named := x.Object.(*ast.IdentExpr)
		if !ok || !named || !isIdent(y.Object, of.Value) {
			return false
		}
		field, _ := fieldOf(x, of.Value)
		other, _ := fieldOf(y, of.Value)
		return field != "" && field == other
	}
	return false
}

// addKey gives the key, if it is a name, a constant, or a field of the loop variable; nil: it is something else.
func (*Pass) addKey(key ast.Expr, in *loopBody) ast.Expr {
	switch x := key.(type) {
	case *ast.StringExpr:
		return clone(x).(ast.Expr)
	case *ast.IdentExpr:
		if in == nil || x.Value != in.w {
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
