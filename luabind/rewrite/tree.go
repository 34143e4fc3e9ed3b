package rewrite

import (
	"reflect"
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// childFuncs replace the blocks and expressions directly below a node.
type childFuncs struct {
	block func([]ast.Stmt) []ast.Stmt
	expr  func(ast.Expr) ast.Expr
}

func (f childFuncs) list(es []ast.Expr) {
	for i, e := range es {
		es[i] = f.expr(e)
	}
}

// eachChild replaces what is directly below a statement.
func eachChild(s ast.Stmt, f childFuncs) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		f.list(s.Lhs)
		f.list(s.Rhs)
	case *ast.LocalAssignStmt:
		f.list(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = f.expr(s.Expr)
	case *ast.DoBlockStmt:
		s.Stmts = f.block(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = f.expr(s.Condition)
		s.Stmts = f.block(s.Stmts)
	case *ast.RepeatStmt:
		s.Stmts = f.block(s.Stmts)
		s.Condition = f.expr(s.Condition)
	case *ast.IfStmt:
		s.Condition = f.expr(s.Condition)
		s.Then = f.block(s.Then)
		s.Else = f.block(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit = f.expr(s.Init), f.expr(s.Limit)
		if s.Step != nil {
			s.Step = f.expr(s.Step)
		}
		s.Stmts = f.block(s.Stmts)
	case *ast.GenericForStmt:
		f.list(s.Exprs)
		s.Stmts = f.block(s.Stmts)
	case *ast.FuncDefStmt:
		if s.Name.Func != nil {
			s.Name.Func = f.expr(s.Name.Func)
		}
		if s.Name.Receiver != nil {
			s.Name.Receiver = f.expr(s.Name.Receiver)
		}
		f.expr(s.Func)
	case *ast.ReturnStmt:
		f.list(s.Exprs)
	}
}

// eachExpr replaces what is directly below an expression.
func eachExpr(e ast.Expr, f childFuncs) {
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		e.Object, e.Key = f.expr(e.Object), f.expr(e.Key)
	case *ast.TableExpr:
		for _, field := range e.Fields {
			if field.Key != nil {
				field.Key = f.expr(field.Key)
			}
			field.Value = f.expr(field.Value)
		}
	case *ast.FuncCallExpr:
		if e.Func != nil {
			e.Func = f.expr(e.Func)
		}
		if e.Receiver != nil {
			e.Receiver = f.expr(e.Receiver)
		}
		f.list(e.Args)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = f.expr(e.Lhs), f.expr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = f.expr(e.Lhs), f.expr(e.Rhs)
	case *ast.StringConcatOpExpr:
		e.Lhs, e.Rhs = f.expr(e.Lhs), f.expr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = f.expr(e.Lhs), f.expr(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = f.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = f.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = f.expr(e.Expr)
	case *ast.FunctionExpr:
		e.Stmts = f.block(e.Stmts)
	}
}

// use is how a loop body uses its loop variable.
type use struct {
	fields   []string // read as w.name, in order of first appearance
	bare     bool     // otherwise than by reading or writing a field
	written  bool     // w.x = v
	assigned bool     // w = v
	captured bool     // by a function
	declared bool     // the name is declared again
}

// study finds out how body uses w. The names are not resolved: whoever declares w again is refused instead.
func study(body []ast.Stmt, w string) use {
	r := &reader{w: w}
	r.block(body)
	return r.use
}

// reader walks a loop body for study.
type reader struct {
	use
	w     string
	depth int // functions around
}

func (r *reader) children() childFuncs { return childFuncs{block: r.block, expr: r.expr} }

func (r *reader) declare(names ...string) { r.declared = r.declared || contains(names, r.w) }

// used notes where w stands: in a function it is captured.
func (r *reader) used() { r.captured = r.captured || r.depth > 0 }

// target is an expression that is assigned to.
func (r *reader) target(e ast.Expr) {
	if isIdent(e, r.w) {
		r.assigned = true
	} else if get, ok := e.(*ast.AttrGetExpr); ok && isIdent(get.Object, r.w) {
		r.written = true
		r.used()
		r.expr(get.Key)
	} else {
		r.expr(e)
	}
}

func (r *reader) expr(e ast.Expr) ast.Expr {
	switch x := e.(type) {
	case *ast.IdentExpr:
		if x.Value == r.w {
			r.bare = true
			r.used()
		}
	case *ast.AttrGetExpr:
		if isIdent(x.Object, r.w) {
			r.used()
			if name, ok := x.Key.(*ast.StringExpr); ok && !contains(r.fields, name.Value) {
				r.fields = append(r.fields, name.Value)
			}
			r.expr(x.Key)
			return e
		}
	case *ast.FunctionExpr:
		r.declare(x.ParList.Names...)
		r.depth++
		defer func() { r.depth-- }()
	}
	eachExpr(e, r.children())
	return e
}

func (r *reader) block(stmts []ast.Stmt) []ast.Stmt {
	for _, s := range stmts {
		switch s := s.(type) {
		case *ast.AssignStmt:
			for _, l := range s.Lhs {
				r.target(l)
			}
			r.children().list(s.Rhs)
			continue
		case *ast.LocalAssignStmt:
			r.declare(s.Names...)
		case *ast.NumberForStmt:
			r.declare(s.Name)
		case *ast.GenericForStmt:
			r.declare(s.Names...)
		case *ast.FuncDefStmt:
			if s.Name.Func != nil {
				r.target(s.Name.Func)
			}
		}
		eachChild(s, r.children())
	}
	return stmts
}

// keepUses turns the bare uses of w below s into (keep)(w).
func keepUses(s ast.Stmt, w string) {
	var expr func(ast.Expr) ast.Expr
	block := func(b []ast.Stmt) []ast.Stmt { return b } // there are no functions below
	expr = func(e ast.Expr) ast.Expr {
		if isIdent(e, w) {
			return call(Keep, e, e)
		}
		if get, ok := e.(*ast.AttrGetExpr); ok && isIdent(get.Object, w) {
			get.Key = expr(get.Key)
			return e
		}
		eachExpr(e, childFuncs{block: block, expr: expr})
		return e
	}
	eachChild(s, childFuncs{block: block, expr: expr})
}

// recordLiteral takes apart O{ a = x, b = y }: a call of a plain name with a table of distinct constant names, without functions in it.
func recordLiteral(e ast.Expr) (typ *ast.IdentExpr, names []string, values []ast.Expr, ok bool) {
	f, is := e.(*ast.FuncCallExpr)
	if !is || f.Method != "" || f.Receiver != nil || len(f.Args) != 1 {
		return nil, nil, nil, false
	}
	id, is := f.Func.(*ast.IdentExpr)
	table, isTable := f.Args[0].(*ast.TableExpr)
	if !is || !isTable || id.Value[0] == '(' || len(table.Fields) == 0 || len(table.Fields) > 100 || hasFunction(table) {
		return nil, nil, nil, false
	}
	for _, field := range table.Fields {
		name, ok := constantName(field)
		if !ok || contains(names, name) {
			return nil, nil, nil, false
		}
		names = append(names, name)
		values = append(values, field.Value)
	}
	return id, names, values, true
}

// sendField tells whether name is a field of the sends that are made cheap.
func sendField(name string) bool { return name == "key" || name == "value" }

func constantName(f *ast.Field) (string, bool) {
	if s, ok := f.Key.(*ast.StringExpr); ok {
		return s.Value, true
	}
	return "", false
}

// constants tells whether the values of fields are: nothing happens when they are computed.
func constants(fields []*ast.Field) bool {
	for _, f := range fields {
		if _, ok := f.Value.(ast.ConstExpr); !ok {
			return false
		}
	}
	return true
}

// nested tells how many calls with tables are inside each other in e.
func nested(e ast.Expr) int {
	depth, most := 0, 0
	var expr func(ast.Expr) ast.Expr
	expr = func(e ast.Expr) ast.Expr {
		if _, ok := e.(*ast.TableExpr); ok {
			depth++
			most = max(most, depth)
			defer func() { depth-- }()
		}
		eachExpr(e, childFuncs{expr: expr, block: func(b []ast.Stmt) []ast.Stmt { return b }})
		return e
	}
	expr(e)
	return most
}

// declaredOnce gives the names of the locals of a chunk's top that are declared nowhere else and never assigned: from their declaration
// on the name is that local, and its value stays.
func declaredOnce(chunk []ast.Stmt) map[string]bool {
	count := map[string]int{"self": 2, "arg": 2} // which are declared without being written
	var block func([]ast.Stmt) []ast.Stmt
	var expr func(ast.Expr) ast.Expr
	declare := func(names ...string) {
		for _, n := range names {
			count[n]++
		}
	}
	assign := func(e ast.Expr) {
		if id, ok := e.(*ast.IdentExpr); ok {
			count[id.Value] += 2
		}
	}
	expr = func(e ast.Expr) ast.Expr {
		if f, ok := e.(*ast.FunctionExpr); ok {
			declare(f.ParList.Names...)
		}
		eachExpr(e, childFuncs{block: block, expr: expr})
		return e
	}
	block = func(stmts []ast.Stmt) []ast.Stmt {
		for _, s := range stmts {
			switch s := s.(type) {
			case *ast.AssignStmt:
				for _, l := range s.Lhs {
					assign(l)
				}
			case *ast.LocalAssignStmt:
				declare(s.Names...)
			case *ast.NumberForStmt:
				declare(s.Name)
			case *ast.GenericForStmt:
				declare(s.Names...)
			case *ast.FuncDefStmt:
				assign(s.Name.Func)
			}
			eachChild(s, childFuncs{block: block, expr: expr})
		}
		return stmts
	}
	block(chunk)
	once := map[string]bool{}
	for _, s := range chunk {
		if l, ok := s.(*ast.LocalAssignStmt); ok {
			for _, n := range l.Names {
				once[n] = count[n] == 1
			}
		}
	}
	return once
}

func hasFunction(e ast.Expr) bool {
	found := false
	var expr func(ast.Expr) ast.Expr
	expr = func(e ast.Expr) ast.Expr {
		if _, ok := e.(*ast.FunctionExpr); ok {
			found = true
			return e
		}
		eachExpr(e, childFuncs{expr: expr})
		return e
	}
	expr(e)
	return found
}

// nodes counts the nodes below v, itself included.
func nodes(v ast.PositionHolder) int {
	n := 0
	var block func([]ast.Stmt) []ast.Stmt
	var expr func(ast.Expr) ast.Expr
	expr = func(e ast.Expr) ast.Expr { n++; eachExpr(e, childFuncs{block, expr}); return e }
	block = func(b []ast.Stmt) []ast.Stmt {
		for _, s := range b {
			n++
			eachChild(s, childFuncs{block, expr})
		}
		return b
	}
	switch v := v.(type) {
	case ast.Stmt:
		block([]ast.Stmt{v})
	case ast.Expr:
		expr(v)
	}
	return n
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.IdentExpr)
	return ok && id.Value == name
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func at(node, where ast.PositionHolder) {
	node.SetLine(where.Line())
	node.SetLastLine(where.LastLine())
}

func ident(name string, where ast.PositionHolder) ast.Expr {
	id := &ast.IdentExpr{Value: name}
	at(id, where)
	return id
}

func number(n int) ast.Expr { return &ast.NumberExpr{Value: strconv.Itoa(n)} }

// call is a call of a hidden function, at the lines of where. It gives one value wherever it stands, and its last argument is one.
func call(name string, where ast.PositionHolder, args ...ast.Expr) ast.Expr {
	if n := len(args); n > 0 {
		args[n-1] = single(args[n-1])
	}
	c := &ast.FuncCallExpr{Func: ident(name, where), Args: args, AdjustRet: true}
	at(c, where)
	return c
}

// single is e as one value.
func single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		one := *e
		one.AdjustRet = true
		return &one
	case *ast.Comma3Expr:
		one := *e
		one.AdjustRet = true
		return &one
	}
	return e
}

// clone copies a tree.
func clone(n any) any { return deep(reflect.ValueOf(n)).Interface() }

func cloneExprs(es []ast.Expr) []ast.Expr {
	out := make([]ast.Expr, len(es))
	for i, e := range es {
		out[i] = clone(e).(ast.Expr)
	}
	return out
}

func deep(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(v.Elem()) // takes the unexported line numbers along
		fill(c.Elem(), v.Elem())
		return c
	case reflect.Interface:
		if v.IsNil() {
			return v
		}
		return deep(v.Elem())
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(deep(v.Index(i)))
		}
		return c
	}
	return v
}

// fill copies what the exported fields of a node point to.
func fill(to, from reflect.Value) {
	for i := range from.NumField() {
		if f := from.Type().Field(i); f.IsExported() && !f.Anonymous {
			to.Field(i).Set(deep(from.Field(i)))
		}
	}
}
