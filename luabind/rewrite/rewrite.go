// Package rewrite is the load-time pass over a script's syntax tree that makes the common forms cheap: loops over streams, reads of the loop
// variable's fields, record literals and sends. It changes no meaning. Each changed form asks at run time whether the
// values are what it hopes for, and does what was written if they are not; the original form stays in the tree beside it.
//
//	for w in stream do BODY end
//
// becomes, when w is neither captured by a function nor declared again in BODY,
//
//	if (stream)(stream) then for w, (w.x), (w.y) in (each)(site, stream) do BODY' end
//	else for w in stream do BODY end end
//
// where BODY' reads w.x as ((w.x) or w.x): a missing or bad field is still looked up, and raises, where it is read. If BODY
// uses w otherwise than by reading fields, the uses become (keep)(w), which tells the stream that the record object may live on.
//
//	t:send { key = k, value = O { a = x } }    as a statement
//
// becomes if (direct)(site, t, O) then if (send)(site, t, k, O, x) then (fail)(site) end else t:send{...} end, provided that O is a
// local of the chunk that is never assigned and that only constants follow the literal: O is looked at before k is computed, and the
// literal is checked after what follows it. (fail) raises what is wrong with the literal in the place of the call of O.
// O { a = x } elsewhere, where one value is taken, becomes ((record)(O) and (make)(site, O, x) or O { a = x }).
//
// The names in brackets are locals of an outer function around the chunk; no script can spell them. Each new node has the lines of the
// node that it stands for, and with them the marks of it (fault.Adopt), so that errors name what they would have named.
package rewrite

import (
	"github.com/yuin/gopher-lua/ast"
)

// The hidden functions that a rewritten chunk is given, in the order of its outer function's arguments.
const (
	IsStream = "(stream)" // (x) -> bool: a stream whose records can be iterated directly
	Each     = "(each)"   // (site, stream) -> iterator giving the record and the values of Site.Fields
	Keep     = "(keep)"   // (w) -> w, which is used again by nobody else from now on
	Direct   = "(direct)" // (site, t[, O]) -> bool: t is a topic, and O the record type it wants
	Send     = "(send)"   // (site, t, values in a row) -> true: the literal is wrong, nothing was sent
	Fail     = "(fail)"   // (site): raises what is wrong with the literal of the send just tried
	IsRecord = "(record)" // (O) -> bool
	Make     = "(make)"   // (site, O, values in a row) -> record
)

// Hidden lists the names of the outer function's arguments.
var Hidden = [...]string{IsStream, Each, Keep, Direct, Send, Fail, IsRecord, Make}

const (
	maxFields = 12   // loop variables that a loop may get
	maxBody   = 3000 // nodes of a loop body that may be doubled
	maxNested = 4    // literals inside each other: each level doubles what is below it
)

// Site is one changed place, known to the hidden functions by its index.
type Site struct {
	Fields []string // of a loop: fields read as loop variables; of a send: names in its table, in order; of a literal: its names
	Record []string // of a send whose value is a literal O{...}: the literal's names, which stand in a row after O
}

// Pass rewrites one chunk and has its sites afterwards. It is not for concurrent use.
type Pass struct {
	Sites []Site
	once  map[string]bool // names that the chunk declares once, at its top, and never assigns
	fixed map[string]bool // those of them that are declared by now
}

// Chunk rewrites a chunk. The result is a chunk that, called with the hidden functions, returns the function to run. changed is
// false, and the chunk untouched, if nothing was to be done.
func (p *Pass) Chunk(chunk []ast.Stmt) (out []ast.Stmt, changed bool) {
	p.once, p.fixed = declaredOnce(chunk), map[string]bool{}
	body := make([]ast.Stmt, len(chunk))
	for i, s := range chunk {
		body[i] = p.stmt(s)
		if l, ok := s.(*ast.LocalAssignStmt); ok {
			for _, name := range l.Names {
				p.fixed[name] = p.once[name]
			}
		}
	}
	if len(p.Sites) == 0 {
		return chunk, false
	}
	inner := &ast.FunctionExpr{ParList: &ast.ParList{HasVargs: true}, Stmts: body}
	last := 1
	if len(chunk) > 0 {
		last = chunk[len(chunk)-1].LastLine()
	}
	inner.SetLastLine(last)
	give := &ast.ReturnStmt{Exprs: []ast.Expr{inner}}
	take := &ast.LocalAssignStmt{Names: Hidden[:], Exprs: []ast.Expr{&ast.Comma3Expr{}}}
	take.SetLine(1)
	give.SetLine(last)
	give.SetLastLine(last)
	return []ast.Stmt{take, give}, true
}

func (p *Pass) site(s Site) ast.Expr {
	p.Sites = append(p.Sites, s)
	return number(len(p.Sites) - 1)
}

// block rewrites a list of statements and everything below them.
func (p *Pass) block(stmts []ast.Stmt) []ast.Stmt {
	for i, s := range stmts {
		stmts[i] = p.stmt(s)
	}
	return stmts
}

func (p *Pass) stmt(s ast.Stmt) ast.Stmt {
	switch s := s.(type) {
	case *ast.GenericForStmt:
		if loop := p.loop(s); loop != nil {
			return loop
		}
	case *ast.FuncCallStmt:
		if call := p.send(s, ""); call != nil {
			return call
		}
	case *ast.LocalAssignStmt:
		p.literals(s.Exprs, len(s.Names))
	case *ast.AssignStmt:
		p.literals(s.Rhs, len(s.Lhs))
	}
	eachChild(s, childFuncs{block: p.block, expr: p.expr})
	return s
}

// expr rewrites what is below an expression: functions in it, and record literals among the named fields of a table.
func (p *Pass) expr(e ast.Expr) ast.Expr {
	if t, ok := e.(*ast.TableExpr); ok {
		for _, f := range t.Fields {
			if f.Key != nil {
				f.Value = p.literal(f.Value)
			}
		}
	}
	eachExpr(e, childFuncs{block: p.block, expr: p.expr})
	return e
}

// literals rewrites record literals of an assignment where just one value of each is taken.
func (p *Pass) literals(exprs []ast.Expr, targets int) {
	for i, e := range exprs {
		if i < len(exprs)-1 || targets == len(exprs) {
			exprs[i] = p.literal(e)
		}
	}
}

// literal makes ((record)(O) and (make)(site, O, ...) or O{...}) of O{...}; everything else stays.
func (p *Pass) literal(e ast.Expr) ast.Expr {
	typ, names, values, ok := recordLiteral(e)
	if !ok || nested(e) > maxNested {
		return e
	}
	args := append([]ast.Expr{p.site(Site{Fields: names}), clone(typ).(ast.Expr)}, cloneExprs(values)...)
	test := call(IsRecord, e, clone(typ).(ast.Expr))
	direct := &ast.LogicalOpExpr{Operator: "and", Lhs: test, Rhs: call(Make, e, args...)}
	both := &ast.LogicalOpExpr{Operator: "or", Lhs: direct, Rhs: e}
	at(direct, e)
	at(both, e)
	return both
}

// send rewrites t:send{...}; nil if the statement is nothing of the kind. keep is the loop variable whose bare uses have to be kept, if any.
func (p *Pass) send(s *ast.FuncCallStmt, keep string) ast.Stmt {
	f, ok := s.Expr.(*ast.FuncCallExpr)
	if !ok || f.Method != "send" || len(f.Args) != 1 {
		return nil
	}
	if _, ok := f.Receiver.(*ast.IdentExpr); !ok {
		return nil
	}
	table, ok := f.Args[0].(*ast.TableExpr)
	if !ok || hasFunction(table) || nodes(table) > maxBody {
		return nil
	}
	var site Site
	var literal ast.Expr
	var args, test []ast.Expr
	for i, field := range table.Fields {
		name, ok := constantName(field)
		if !ok || contains(site.Fields, name) || !sendField(name) {
			return nil
		}
		site.Fields = append(site.Fields, name)
		if typ, names, values, ok := recordLiteral(field.Value); ok && name == "value" && p.fixed[typ.Value] && constants(table.Fields[i+1:]) {
			site.Record, literal = names, field.Value
			test = []ast.Expr{clone(typ).(ast.Expr)}
			args = append(append(args, clone(typ).(ast.Expr)), cloneExprs(values)...)
			continue
		}
		args = append(args, p.literal(clone(field.Value).(ast.Expr)))
	}
	n := p.site(site)
	sent := call(Send, f, append([]ast.Expr{n, clone(f.Receiver).(ast.Expr)}, args...)...)
	var direct ast.Stmt = &ast.FuncCallStmt{Expr: sent}
	if literal != nil {
		failed := &ast.FuncCallStmt{Expr: call(Fail, literal, n)}
		at(failed, literal)
		direct = &ast.IfStmt{Condition: sent, Then: []ast.Stmt{failed}}
	}
	at(direct, s)
	if keep != "" {
		keepUses(s, keep)
	}
	choose := &ast.IfStmt{
		Condition: call(Direct, f, append([]ast.Expr{n, clone(f.Receiver).(ast.Expr)}, test...)...),
		Then:      []ast.Stmt{direct},
		Else:      []ast.Stmt{s},
	}
	at(choose, s)
	return choose
}

// sendCall gives the call of (send) in what send made.
func sendCall(choose *ast.IfStmt) *ast.FuncCallExpr {
	if s, ok := choose.Then[0].(*ast.FuncCallStmt); ok {
		return s.Expr.(*ast.FuncCallExpr)
	}
	return choose.Then[0].(*ast.IfStmt).Condition.(*ast.FuncCallExpr)
}

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
	direct.Exprs = []ast.Expr{call(Each, stream, p.site(Site{Fields: fields}), ident(stream.Value, stream))}
	for _, f := range fields {
		direct.Names = append(direct.Names, variable(w, f))
	}
	direct.Stmts = p.directBody(direct.Stmts, w, fields)
	s.Stmts = p.block(s.Stmts)
	choose := &ast.IfStmt{
		Condition: call(IsStream, stream, ident(stream.Value, stream)),
		Then:      []ast.Stmt{direct},
		Else:      []ast.Stmt{s},
	}
	at(choose, s)
	return choose
}

// directBody rewrites a body whose loop variable w is a record that is used again: first the sends, then the reads, then the rest.
func (p *Pass) directBody(body []ast.Stmt, w string, fields []string) []ast.Stmt {
	inLoop := &loopBody{pass: p, w: w, fields: fields}
	return inLoop.block(body)
}

// loopBody walks the body of a direct loop.
type loopBody struct {
	pass   *Pass
	w      string
	fields []string
}

func (b *loopBody) block(stmts []ast.Stmt) []ast.Stmt {
	for i, s := range stmts {
		if call, ok := s.(*ast.FuncCallStmt); ok {
			if choose, ok := b.pass.send(call, b.w).(*ast.IfStmt); ok {
				// in the direct branch the record itself is encoded at once: it needs no keeping
				direct := sendCall(choose)
				for j, a := range direct.Args {
					if id, ok := a.(*ast.IdentExpr); !ok || id.Value != b.w {
						direct.Args[j] = b.expr(a)
					}
				}
				choose.Else = b.reads(choose.Else)
				stmts[i] = choose
				continue
			}
		}
		switch s := s.(type) {
		case *ast.LocalAssignStmt:
			b.pass.literals(s.Exprs, len(s.Names))
		case *ast.AssignStmt:
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
