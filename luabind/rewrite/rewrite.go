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
// becomes if (direct)(site, t, O) then if (send)(site, t, O, k, x) then (fail)(site) end else t:send{...} end, provided that O is a
// local of the chunk that is never assigned and that only constants follow the literal: O is looked at before k is computed, and the
// literal is checked after what follows it. (fail) raises what is wrong with the literal in the place of the call of O.
//
// In the body of a direct loop a value that is just w.x is not passed: (send) is given w and takes the field from it, so that it need not become a
// Lua value. (direct) sees to it that w is a record that has the field. In a loop that may write to w this is done only if nothing can happen
// between the reads of the fields and the send. If t too is a local of the chunk that is never assigned, all this is looked at once, when the loop
// begins: (each) is given t and O and gives, as a further loop variable (send n), what sends to t from then on, or false, and the
// statement becomes if (send n) then if (send n)(w, k, x) then ...
// O { a = x } elsewhere, where one value is taken, becomes ((record)(O) and (make)(site, O, x) or O { a = x }).
//
//	t[k] = t[k] + e    where t is a local of the chunk that is declared as app.table(...) and never assigned
//
// becomes if not (add)(t, k, e) then t[k] = t[k] + e end, provided that k is a name, a constant or a field w.x, and e a number, a local of the chunk that is never
// assigned, or a field w.x that became a loop variable. (add) does it if t is a table and all is as usual; else it does nothing, raises nothing, and the form as
// written finds out what is wrong. In the body of a direct loop that only reads w, with k = w.x, (each) is given t and gives, as a further loop variable (add n), what adds
// to it: the key, and e if it is w.y, are taken from the record without becoming Lua values, and the statement becomes
// if not ((add n) and (add n)(e)) then t[k] = t[k] + e end.
//
// The names in brackets are locals of an outer function around the chunk; no script can spell them. Each new node has the lines of the
// node that it stands for, and with them the marks of it (fault.Adopt), so that errors name what they would have named.
package rewrite

import "github.com/yuin/gopher-lua/ast"

// The hidden functions that a rewritten chunk is given, in the order of its outer function's arguments.
const (
	IsStream = "(stream)" // (x) -> bool: a stream whose records can be iterated directly
	// (site, stream, t and O or nil of each of Site.Sends, t of each of Site.Adds) -> iterator giving the record, Site.Fields, and Site.Sends and Site.Adds as functions
	Each     = "(each)"
	Keep     = "(keep)"   // (w) -> w, which is used again by nobody else from now on
	Direct   = "(direct)" // (site, t, O or nil, w or nil) -> bool: t is a topic, O the record type it wants, w a record with the fields of Site.Own
	Send     = "(send)"   // (site, t, O or nil[, w], values in a row that are not in Site.Own) -> true: the literal is wrong, nothing was sent
	Fail     = "(fail)"   // (site): raises what is wrong with the literal of the send just tried
	IsRecord = "(record)" // (O) -> bool
	Make     = "(make)"   // (site, O, values in a row) -> record
	Add      = "(add)"    // (t, k, e) -> true: t[k] = t[k] + e was done; false: nothing was
)

// Hidden lists the names of the outer function's arguments.
var Hidden = [...]string{IsStream, Each, Keep, Direct, Send, Fail, IsRecord, Make, Add}

const (
	maxFields = 12   // loop variables that a loop may get for fields,
	maxSends  = 4    // and for sends,
	maxAdds   = 4    // and for additions
	maxBody   = 3000 // nodes of a loop body that may be doubled
	maxNested = 4    // literals inside each other: each level doubles what is below it
)

// Site is one changed place, known to the hidden functions by its index.
type Site struct {
	Fields []string // of a loop: fields read as loop variables; of a send: names in its table, in order; of a literal: its names
	Record []string // of a send whose value is a literal O{...}: the literal's names
	// Of a send in a loop: for each value in a row the field of w that it is, or ""; nil: none is. Of an addition that is a loop variable: the same of key and e.
	Own []string
	// Of a loop: the sites of the sends that are its variables: ([w,] values in a row that are not in Site.Own) -> what (send) gives; false if (direct)
	// would be, or the record is null.
	Sends []int
	// Of a loop: the sites of the additions that are its variables: ([e unless in Site.Own]) -> what (add) gives; false if it never would do anything, or the record is null.
	Adds []int
}

// Pass rewrites one chunk and has its sites afterwards. It is not for concurrent use.
type Pass struct {
	Sites []Site
	once  map[string]bool // names that the chunk declares once, at its top, and never assigns
	fixed map[string]bool // those of them that are declared by now
	keyed map[string]bool // those of these that are app.table(...)
	adds  int             // how many additions were rewritten
}

// Chunk rewrites a chunk. The result is a chunk that, called with the hidden functions, returns the function to run. changed is
// false, and the chunk untouched, if nothing was to be done.
func (p *Pass) Chunk(chunk []ast.Stmt) (out []ast.Stmt, changed bool) {
	p.once, p.fixed = declaredOnce(chunk), map[string]bool{}
	p.keyed = map[string]bool{}
	body := make([]ast.Stmt, len(chunk))
	for i, s := range chunk {
		body[i] = p.stmt(s)
		if l, ok := s.(*ast.LocalAssignStmt); ok {
			for i, name := range l.Names {
				p.fixed[name] = p.once[name]
				p.keyed[name] = p.once[name] && declaresTable(l, i)
			}
		}
	}
	if len(p.Sites) == 0 && p.adds == 0 {
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
		if choose := p.send(s, nil); choose != nil {
			return choose
		}
	case *ast.LocalAssignStmt:
		p.literals(s.Exprs, len(s.Names))
	case *ast.AssignStmt:
		if choose := p.add(s, nil); choose != nil {
			return choose
		}
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

// send rewrites t:send{...}; nil if the statement is nothing of the kind. in is the direct loop around it, if any.
func (p *Pass) send(s *ast.FuncCallStmt, in *loopBody) *ast.IfStmt {
	f, table := sendOf(s)
	if table == nil {
		return nil
	}
	m := message{pass: p, in: in}
	for i, field := range table.Fields {
		name, ok := constantName(field)
		if !ok || contains(m.site.Fields, name) || !sendField(name) {
			return nil
		}
		m.site.Fields = append(m.site.Fields, name)
		typ, names, values, ok := recordLiteral(field.Value)
		if !ok || name != "value" || !p.fixed[typ.Value] || !constants(table.Fields[i+1:]) {
			m.values = append(m.values, field.Value)
			continue
		}
		m.site.Record, m.literal, m.typ, m.first = names, field.Value, typ, len(m.values)
		m.values = append(m.values, values...)
	}
	return m.choose(s, f)
}

// sendOf takes t:send{...} apart.
func sendOf(s *ast.FuncCallStmt) (*ast.FuncCallExpr, *ast.TableExpr) {
	f, ok := s.Expr.(*ast.FuncCallExpr)
	if !ok || f.Method != "send" || len(f.Args) != 1 {
		return nil, nil
	}
	if _, ok := f.Receiver.(*ast.IdentExpr); !ok {
		return nil, nil
	}
	table, ok := f.Args[0].(*ast.TableExpr)
	if !ok || hasFunction(table) || nodes(table) > maxBody {
		return nil, nil
	}
	return f, table
}

// message is a send that is being rewritten.
type message struct {
	pass    *Pass
	in      *loopBody // nil: it is in no direct loop
	site    Site
	values  []ast.Expr // in a row, as written
	literal ast.Expr   // of a record, nil: there is none
	typ     *ast.IdentExpr
	first   int // place in the row of the literal's values
}

// choose makes both forms of the send.
func (m *message) choose(s *ast.FuncCallStmt, f *ast.FuncCallExpr) *ast.IfStmt {
	m.own()
	site := m.pass.site(m.site)
	test, sent := m.calls(site, f)
	var direct ast.Stmt = &ast.FuncCallStmt{Expr: sent}
	if m.literal != nil {
		failed := &ast.FuncCallStmt{Expr: call(Fail, m.literal, site)}
		at(failed, m.literal)
		direct = &ast.IfStmt{Condition: sent, Then: []ast.Stmt{failed}}
	}
	at(direct, s)
	if m.in != nil {
		keepUses(s, m.in.w)
	}
	choose := &ast.IfStmt{Condition: test, Then: []ast.Stmt{direct}, Else: []ast.Stmt{s}}
	at(choose, s)
	return choose
}

// calls gives the test whether f can be sent directly, and the call that does.
func (m *message) calls(site ast.Expr, f *ast.FuncCallExpr) (test, sent ast.Expr) {
	t := f.Receiver.(*ast.IdentExpr)
	typ := ast.Expr(&ast.NilExpr{})
	if m.literal != nil {
		typ = m.typ
	}
	var w []ast.Expr
	if m.site.Own != nil {
		w = []ast.Expr{ident(m.in.w, f)}
	}
	if m.in != nil && m.pass.fixed[t.Value] && len(m.in.sends) < maxSends {
		name := m.in.send(len(m.pass.Sites)-1, t, typ)
		return ident(name, f), call(name, f, append(w, m.passed()...)...)
	}
	to := append([]ast.Expr{site, clone(t).(ast.Expr), clone(typ).(ast.Expr)}, w...)
	return call(Direct, f, cloneExprs(to)...), call(Send, f, append(to, m.passed()...)...)
}

// own finds the values that are fields of the loop variable.
func (m *message) own() {
	if m.in == nil {
		return
	}
	own := make([]string, len(m.values))
	found := false
	for i, v := range m.values {
		field, ok := fieldOf(v, m.in.w)
		if !ok && !m.in.pure && !m.still(v) {
			return
		}
		own[i] = field
		found = found || ok
	}
	if found {
		m.site.Own = own
	}
}

// still tells whether nothing happens when v is computed.
func (m *message) still(v ast.Expr) bool {
	if id, ok := v.(*ast.IdentExpr); ok {
		return id.Value == m.in.w || m.pass.fixed[id.Value]
	}
	_, ok := v.(ast.ConstExpr)
	return ok
}

// passed gives the arguments for the values that are passed. A record that is sent itself is encoded at once: it needs no keeping.
func (m *message) passed() (args []ast.Expr) {
	for i, v := range m.values {
		if m.site.Own != nil && m.site.Own[i] != "" {
			continue
		}
		v = clone(v).(ast.Expr)
		if m.literal == nil || i < m.first || i >= m.first+len(m.site.Record) {
			v = m.pass.literal(v)
		}
		if m.in != nil && !isIdent(v, m.in.w) {
			v = m.in.expr(v)
		}
		args = append(args, v)
	}
	return args
}

// fieldOf gives x of w.x.
func fieldOf(e ast.Expr, w string) (string, bool) {
	get, ok := e.(*ast.AttrGetExpr)
	if !ok || !isIdent(get.Object, w) {
		return "", false
	}
	name, ok := get.Key.(*ast.StringExpr)
	if !ok {
		return "", false
	}
	return name.Value, name.Value != ""
}
