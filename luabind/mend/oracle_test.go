package mend

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// oracle walks the syntax tree of a program and does what it says: what the engine does of the same source is compared with it. It shares the parser with
// the engine and nothing else, and knows just what the programs of progGen are made of.
type oracle struct {
	out     strings.Builder
	globals map[string]any
	steps   int
	depth   int
}

// Values are nil, bool, float64, string, *oracleTable and oracleFunc.
type (
	oracleFunc  func(args []any) []any
	oracleTable struct {
		m    map[any]any
		meta *oracleTable
	}
)

// scope is a local variable and those before it.
type scope struct {
	name  string
	value any
	outer *scope
}

func (s *scope) find(name string) *scope {
	for ; s != nil; s = s.outer {
		if s.name == name {
			return s
		}
	}
	return nil
}

var (
	errTooLong = errors.New("it takes too long")
	errBreak   = &flow{}
)

// flow is how a block is left other than at its end: break, goto or return.
type flow struct {
	label  string
	values []any
	result bool
}

// fails is a run-time error of the program.
type fails struct{ what string }

const oracleSteps, oracleDepth = 20_000, 60

// runOracle gives what a program prints, with "error" at the end if it fails; errTooLong if it takes more steps than is sensible.
func runOracle(src string) (text string, err error) {
	chunk, err := parse.Parse(strings.NewReader(src), "oracle")
	if err != nil {
		return "", err
	}
	o := &oracle{globals: map[string]any{}}
	o.globals["print"] = oracleFunc(func(args []any) []any {
		for i, a := range args {
			if i > 0 {
				o.out.WriteByte('\t')
			}
			o.out.WriteString(show(a))
		}
		o.out.WriteByte('\n')
		return nil
	})
	o.globals["select"] = oracleFunc(func(args []any) []any {
		if args[0] == "#" {
			return []any{float64(len(args) - 1)}
		}
		return args[min(int(args[0].(float64)), len(args)):]
	})
	o.globals["setmetatable"] = oracleFunc(func(args []any) []any {
		args[0].(*oracleTable).meta, _ = args[1].(*oracleTable)
		return args[:1]
	})
	o.globals["type"] = oracleFunc(func(args []any) []any { return []any{kind(args[0])} })
	defer func() {
		switch rcv := recover().(type) {
		case nil:
		case fails:
			text = o.out.String() + "error\n"
		case error:
			if !errors.Is(rcv, errTooLong) {
				panic(rcv)
			}
			err = rcv
		default:
			panic(rcv)
		}
	}()
	o.block(chunk, nil, nil)
	return o.out.String(), nil
}

func kind(v any) string {
	switch v.(type) {
	case nil:
		return "nil"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case *oracleTable:
		return "table"
	}
	return "function"
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case float64:
		if v == 0 {
			return "0" // the engine knows no -0
		}
		return strconv.FormatFloat(v, 'g', 14, 64)
	case bool, string:
		return fmt.Sprint(v)
	}
	return kind(v)
}

func (o *oracle) step() {
	if o.steps++; o.steps > oracleSteps {
		panic(errTooLong)
	}
}

func truthy(v any) bool { return v != nil && v != false }

// block runs statements in a scope; the scope at its end is for the condition of a repeat.
func (o *oracle) block(list []ast.Stmt, env *scope, varargs []any) (*scope, *flow) {
	starts := make([]*scope, len(list)+1)
	for i := 0; i < len(list); i++ {
		starts[i] = env
		var left *flow
		env, left = o.stmt(list[i], env, varargs)
		if left == nil {
			continue
		}
		to := -1
		for j, s := range list {
			if l, ok := s.(*ast.LabelStmt); ok && left.label != "" && l.Name == left.label {
				to = j
			}
		}
		if to < 0 {
			return env, left
		}
		if to <= i {
			env = starts[to]
		}
		i = to
		o.step()
	}
	return env, nil
}

func (o *oracle) stmt(s ast.Stmt, env *scope, varargs []any) (*scope, *flow) {
	o.step()
	switch s := s.(type) {
	case *ast.AssignStmt:
		o.assign(s, env, varargs)
	case *ast.LocalAssignStmt:
		if len(s.Exprs) == 1 && len(s.Names) == 1 {
			if f, ok := s.Exprs[0].(*ast.FunctionExpr); ok && localFunction(s) { // it may call itself
				env = &scope{name: s.Names[0], outer: env}
				env.value = o.function(f, env)
				return env, nil
			}
		}
		values := o.exprs(s.Exprs, env, varargs)
		for i, name := range s.Names {
			env = &scope{name, nth(values, i), env}
		}
	case *ast.FuncCallStmt:
		o.multi(s.Expr, env, varargs)
	case *ast.DoBlockStmt:
		_, left := o.block(s.Stmts, env, varargs)
		return env, left
	case *ast.WhileStmt:
		for truthy(o.expr(s.Condition, env, varargs)) {
			if _, left := o.block(s.Stmts, env, varargs); left != nil {
				return env, unbroken(left)
			}
			o.step()
		}
	case *ast.RepeatStmt:
		for {
			inner, left := o.block(s.Stmts, env, varargs)
			if left != nil {
				return env, unbroken(left)
			}
			if truthy(o.expr(s.Condition, inner, varargs)) {
				break
			}
			o.step()
		}
	case *ast.IfStmt:
		list := s.Else
		if truthy(o.expr(s.Condition, env, varargs)) {
			list = s.Then
		}
		_, left := o.block(list, env, varargs)
		return env, left
	case *ast.NumberForStmt:
		return env, o.numberFor(s, env, varargs)
	case *ast.GenericForStmt:
		return env, o.genericFor(s, env, varargs)
	case *ast.FuncDefStmt:
		o.define(s, env, varargs)
	case *ast.ReturnStmt:
		return env, &flow{values: o.exprs(s.Exprs, env, varargs), result: true}
	case *ast.BreakStmt:
		return env, errBreak
	case *ast.GotoStmt:
		return env, &flow{label: s.Label}
	case *ast.LabelStmt:
	default:
		panic(fmt.Sprintf("%T", s))
	}
	return env, nil
}

// unbroken is how a loop is left when its body was left so.
func unbroken(left *flow) *flow {
	if left == errBreak {
		return nil
	}
	return left
}

func nth(values []any, i int) any {
	if i < len(values) {
		return values[i]
	}
	return nil
}

func (o *oracle) numberFor(s *ast.NumberForStmt, env *scope, varargs []any) *flow {
	i, limit, step := o.number(s.Init, env, varargs), o.number(s.Limit, env, varargs), 1.0
	if s.Step != nil {
		step = o.number(s.Step, env, varargs)
	}
	for ; step > 0 && i <= limit || step <= 0 && i >= limit; i += step {
		if _, left := o.block(s.Stmts, &scope{s.Name, i, env}, varargs); left != nil {
			return unbroken(left)
		}
		o.step()
	}
	return nil
}

func (o *oracle) genericFor(s *ast.GenericForStmt, env *scope, varargs []any) *flow {
	three := o.exprs(s.Exprs, env, varargs)
	f, state, control := nth(three, 0), nth(three, 1), nth(three, 2)
	for {
		values := o.call(f, []any{state, control})
		if control = nth(values, 0); control == nil {
			return nil
		}
		inner := env
		for i, name := range s.Names {
			inner = &scope{name, nth(values, i), inner}
		}
		if _, left := o.block(s.Stmts, inner, varargs); left != nil {
			return unbroken(left)
		}
		o.step()
	}
}

// assign computes everything first and assigns afterwards.
func (o *oracle) assign(s *ast.AssignStmt, env *scope, varargs []any) {
	type target struct{ object, key any }
	targets := make([]target, len(s.Lhs))
	for i, l := range s.Lhs {
		if get, ok := l.(*ast.AttrGetExpr); ok {
			targets[i] = target{o.expr(get.Object, env, varargs), o.expr(get.Key, env, varargs)}
		}
	}
	values := o.exprs(s.Rhs, env, varargs)
	for i := len(s.Lhs) - 1; i >= 0; i-- {
		if _, ok := s.Lhs[i].(*ast.AttrGetExpr); ok {
			setIndex(targets[i].object, targets[i].key, nth(values, i))
		} else {
			o.set(s.Lhs[i], nth(values, i), env, varargs)
		}
	}
}

func setIndex(object, key, value any) {
	t, ok := object.(*oracleTable)
	if !ok || key == nil {
		panic(fails{"index"})
	}
	if value == nil {
		delete(t.m, key)
		return
	}
	t.m[key] = value
}

func (o *oracle) set(to ast.Expr, value any, env *scope, varargs []any) {
	switch to := to.(type) {
	case *ast.IdentExpr:
		if l := env.find(to.Value); l != nil {
			l.value = value
			return
		}
		o.globals[to.Value] = value
	case *ast.AttrGetExpr:
		setIndex(o.expr(to.Object, env, varargs), o.expr(to.Key, env, varargs), value)
	}
}

// exprs gives the values of a list, whose last may be several.
func (o *oracle) exprs(list []ast.Expr, env *scope, varargs []any) []any {
	var out []any
	for i, e := range list {
		if i == len(list)-1 {
			out = append(out, o.multi(e, env, varargs)...)
		} else {
			out = append(out, o.expr(e, env, varargs))
		}
	}
	return out
}

func (o *oracle) multi(e ast.Expr, env *scope, varargs []any) []any {
	switch e := e.(type) {
	case *ast.Comma3Expr:
		if !e.AdjustRet {
			return varargs
		}
	case *ast.FuncCallExpr:
		if !e.AdjustRet {
			return o.callExpr(e, env, varargs)
		}
	}
	return []any{o.expr(e, env, varargs)}
}

func (o *oracle) callExpr(e *ast.FuncCallExpr, env *scope, varargs []any) []any {
	if e.Func == nil {
		object := o.expr(e.Receiver, env, varargs)
		f := index(object, e.Method)
		return o.call(f, append([]any{object}, o.exprs(e.Args, env, varargs)...))
	}
	f := o.expr(e.Func, env, varargs)
	return o.call(f, o.exprs(e.Args, env, varargs))
}

func (o *oracle) call(f any, args []any) []any {
	o.step()
	fn, ok := f.(oracleFunc)
	if !ok {
		panic(fails{"call"})
	}
	if o.depth++; o.depth > oracleDepth {
		panic(errTooLong)
	}
	defer func() { o.depth-- }()
	return fn(args)
}

func (o *oracle) define(s *ast.FuncDefStmt, env *scope, varargs []any) {
	if s.Name.Func != nil {
		o.set(s.Name.Func, o.function(s.Func, env), env, varargs)
		return
	}
	method := *s.Func
	method.ParList = &ast.ParList{HasVargs: s.Func.ParList.HasVargs, Names: append([]string{"self"}, s.Func.ParList.Names...)}
	setIndex(o.expr(s.Name.Receiver, env, varargs), s.Name.Method, o.function(&method, env))
}

func (o *oracle) function(f *ast.FunctionExpr, env *scope) any {
	return oracleFunc(func(args []any) []any {
		inner := env
		for i, name := range f.ParList.Names {
			inner = &scope{name, nth(args, i), inner}
		}
		var rest []any
		if f.ParList.HasVargs {
			rest = args[min(len(args), len(f.ParList.Names)):]
		}
		if _, left := o.block(f.Stmts, inner, rest); left != nil && left.result {
			return left.values
		}
		return nil
	})
}

func index(object, key any) any {
	for range 10 {
		t, ok := object.(*oracleTable)
		if !ok {
			break
		}
		if v := t.m[key]; v != nil || t.meta == nil {
			return v
		}
		if object, ok = t.meta.m["__index"]; !ok {
			return nil
		}
	}
	panic(fails{"index"})
}

func (o *oracle) number(e ast.Expr, env *scope, varargs []any) float64 {
	return toNumber(o.expr(e, env, varargs))
}

func toNumber(v any) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	panic(fails{"number"})
}

func (o *oracle) expr(e ast.Expr, env *scope, varargs []any) any {
	o.step()
	switch e := e.(type) {
	case *ast.TrueExpr:
		return true
	case *ast.FalseExpr:
		return false
	case *ast.NilExpr:
		return nil
	case *ast.NumberExpr:
		f, err := strconv.ParseFloat(e.Value, 64)
		if err != nil {
			panic(err)
		}
		return f
	case *ast.StringExpr:
		return e.Value
	case *ast.Comma3Expr:
		return nth(varargs, 0)
	case *ast.IdentExpr:
		if l := env.find(e.Value); l != nil {
			return l.value
		}
		return o.globals[e.Value]
	case *ast.AttrGetExpr:
		return index(o.expr(e.Object, env, varargs), o.expr(e.Key, env, varargs))
	case *ast.FuncCallExpr:
		return nth(o.callExpr(e, env, varargs), 0)
	case *ast.LogicalOpExpr:
		l := o.expr(e.Lhs, env, varargs)
		if truthy(l) == (e.Operator == "and") {
			return o.expr(e.Rhs, env, varargs)
		}
		return l
	case *ast.FunctionExpr:
		return o.function(e, env)
	case *ast.TableExpr:
		return o.table(e, env, varargs)
	case *ast.UnaryMinusOpExpr:
		return -o.number(e.Expr, env, varargs)
	case *ast.UnaryNotOpExpr:
		return !truthy(o.expr(e.Expr, env, varargs))
	}
	return o.operation(e, env, varargs)
}

func (o *oracle) operation(e ast.Expr, env *scope, varargs []any) any {
	switch e := e.(type) {
	case *ast.UnaryLenOpExpr:
		switch v := o.expr(e.Expr, env, varargs).(type) {
		case string:
			return float64(len(v))
		case *oracleTable:
			n := 0.0
			for v.m[n+1] != nil {
				n++
			}
			return n
		}
		panic(fails{"length"})
	case *ast.RelationalOpExpr:
		return compare(e.Operator, o.expr(e.Lhs, env, varargs), o.expr(e.Rhs, env, varargs))
	case *ast.StringConcatOpExpr:
		a, b := o.expr(e.Lhs, env, varargs), o.expr(e.Rhs, env, varargs)
		for _, v := range []any{a, b} {
			if k := kind(v); k != "string" && k != "number" {
				panic(fails{"concat"})
			}
		}
		return show(a) + show(b)
	case *ast.ArithmeticOpExpr:
		l, r := o.expr(e.Lhs, env, varargs), o.expr(e.Rhs, env, varargs)
		a, b := toNumber(l), toNumber(r)
		switch e.Operator {
		case "+":
			return a + b
		case "-":
			return a - b
		case "*":
			return a * b
		case "/":
			return a / b
		case "%":
			return a - math.Floor(a/b)*b
		}
	}
	panic(fmt.Sprintf("%T", e))
}

func compare(op string, a, b any) bool {
	if op == "==" || op == "~=" {
		same := kind(a) == kind(b)
		if same && kind(a) != "function" {
			same = a == b
		}
		return same == (op == "==")
	}
	if s, ok := a.(string); ok {
		t, ok := b.(string)
		if !ok {
			panic(fails{"compare"})
		}
		c := float64(strings.Compare(s, t))
		return compare(op, c, 0.0)
	}
	x, y := toNumber(a), toNumber(b)
	switch op {
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

func (o *oracle) table(e *ast.TableExpr, env *scope, varargs []any) any {
	t := &oracleTable{m: map[any]any{}}
	n := 0.0
	for i, f := range e.Fields {
		if f.Key != nil {
			if v := o.expr(f.Value, env, varargs); v != nil {
				t.m[o.expr(f.Key, env, varargs)] = v
			}
			continue
		}
		values := []any{}
		if i == len(e.Fields)-1 {
			values = o.multi(f.Value, env, varargs)
		} else {
			values = append(values, o.expr(f.Value, env, varargs))
		}
		for _, v := range values {
			if n++; v != nil {
				t.m[n] = v
			}
		}
	}
	return t
}
