package rewrite

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// loop rewrites for w in name do ... end; nil if it has to stay as it is.
func (p *Pass) loop(s *ast.GenericForStmt) ast.Stmt {
	if len(s.Names) != 1 || len(s.Exprs) != 1 || nodes(s) > maxBody {
		return nil
	}
	stream, ok := s.Exprs[0].(*ast.IdentExpr)
	if !ok {
		return nil
	}
	w := s.Names[0]
	use := study(s.Stmts, w)
	if use.captured || use.declared || use.assigned || w == stream.Value {
		return nil
	}
	fields := use.fields
	if use.bare || use.written || len(fields) > maxFields {
		fields = nil
	}
	direct := clone(s).(*ast.GenericForStmt)
	n := len(p.Sites)
	site := p.site(Site{})
	in := &loopBody{pass: p, w: w, fields: fields, pure: !use.bare && !use.written, used: map[string]bool{}}
	direct.Stmts = in.body(direct.Stmts)
	given := append([]ast.Expr{site, ident(stream.Value, stream)}, in.receivers...)
	direct.Exprs = []ast.Expr{call(Each, stream, append(given, in.tables...)...)}
	for _, f := range in.fields {
		direct.Names = append(direct.Names, variable(w, f))
	}
	for _, s := range in.sends {
		direct.Names = append(direct.Names, sender(s))
	}
	for _, s := range in.adds {
		direct.Names = append(direct.Names, adder(s))
	}
	p.Sites[n].Fields, p.Sites[n].Sends, p.Sites[n].Adds = in.fields, in.sends, in.adds
	s.Stmts = p.block(s.Stmts)
	choose := &ast.IfStmt{
		Condition: call(IsStream, stream, ident(stream.Value, stream)),
		Then:      []ast.Stmt{direct},
		Else:      []ast.Stmt{s},
	}
	at(choose, s)
	return choose
}

// loopBody walks the body of a direct loop, whose variable w is a record that is used again.
type loopBody struct {
	pass    *Pass
	w       string
	fields  []string // that may become loop variables
	used    map[string]bool
	pure    bool       // w is only read
	written []ast.Stmt // the sends and additions as written, beside the direct ones

	sends     []int      // sites that became loop variables
	receivers []ast.Expr // topic and record type of each
	adds      []int      // as sends
	tables    []ast.Expr // of each
}

// send makes the send at a site a loop variable and gives its name.
func (b *loopBody) send(site int, t *ast.IdentExpr, typ ast.Expr) string {
	b.sends = append(b.sends, site)
	b.receivers = append(b.receivers, clone(t).(ast.Expr), clone(typ).(ast.Expr))
	return sender(site)
}

// add makes the addition at a site a loop variable and gives its name.
func (b *loopBody) add(site int, t *ast.IdentExpr) string {
	b.adds = append(b.adds, site)
	b.tables = append(b.tables, clone(t).(ast.Expr))
	return adder(site)
}

// body rewrites the body; fields are those that became loop variables then.
func (b *loopBody) body(stmts []ast.Stmt) []ast.Stmt {
	stmts = b.block(stmts)
	var fields []string
	for _, f := range b.fields {
		if b.used[f] {
			fields = append(fields, f)
		}
	}
	b.fields = fields
	b.reads(b.written)
	return stmts
}

func (b *loopBody) block(stmts []ast.Stmt) []ast.Stmt {
	for i, s := range stmts {
		if call, ok := s.(*ast.FuncCallStmt); ok {
			if choose := b.pass.send(call, b); choose != nil {
				b.written = append(b.written, choose.Else...)
				stmts[i] = choose
				continue
			}
		}
		switch s := s.(type) {
		case *ast.LocalAssignStmt:
			b.pass.literals(s.Exprs, len(s.Names))
		case *ast.AssignStmt:
			own := len(b.written)
			if choose := b.pass.add(s, b); choose != nil {
				stmts[i] = choose
			}
			if len(b.written) > own {
				continue
			}
			b.pass.literals(s.Rhs, len(s.Lhs))
			for _, l := range s.Lhs { // w.x = v keeps its target; the index in w[i] = v may read w
				if get, ok := l.(*ast.AttrGetExpr); ok && isIdent(get.Object, b.w) {
					get.Key = b.expr(get.Key)
				} else {
					eachExpr(l, childFuncs{block: b.block, expr: b.expr})
				}
			}
			for j, r := range s.Rhs {
				s.Rhs[j] = b.expr(r)
			}
			continue
		}
		eachChild(s, childFuncs{block: b.block, expr: b.expr})
	}
	return stmts
}

// reads rewrites the reads of w in statements whose bare uses are kept already.
func (b *loopBody) reads(stmts []ast.Stmt) []ast.Stmt {
	for _, s := range stmts {
		eachChild(s, childFuncs{block: b.reads, expr: b.expr})
	}
	return stmts
}

func (b *loopBody) expr(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.IdentExpr:
		if e.Value == b.w {
			return call(Keep, e, e)
		}
	case *ast.AttrGetExpr:
		if !isIdent(e.Object, b.w) {
			break
		}
		e.Key = b.expr(e.Key)
		if name, ok := e.Key.(*ast.StringExpr); ok && contains(b.fields, name.Value) {
			b.used[name.Value] = true
			either := &ast.LogicalOpExpr{Operator: "or", Lhs: ident(variable(b.w, name.Value), e), Rhs: e}
			at(either, e)
			return either
		}
		return e
	case *ast.FuncCallExpr:
		if e.Func != nil && isIdent(e.Func, Keep) {
			return e
		}
	case *ast.TableExpr:
		for _, f := range e.Fields {
			if f.Key != nil {
				f.Value = b.pass.literal(f.Value)
			}
		}
	}
	eachExpr(e, childFuncs{block: b.block, expr: b.expr})
	return e
}

// variable names the hidden loop variable that holds w.field.
func variable(w, field string) string { return "(" + w + "." + field + ")" }

// sender names the hidden loop variable that is the send at a site.
func sender(site int) string { return "(send " + strconv.Itoa(site) + ")" }

// adder names the hidden loop variable that is the addition at a site.
func adder(site int) string { return "(add " + strconv.Itoa(site) + ")" }
