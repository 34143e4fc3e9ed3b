package mend

import "github.com/yuin/gopher-lua/ast"

// mender walks a chunk and knows at each place which variables there are.
type mender struct {
	marks   []mark
	fn      *function
	block   *block
	reading map[*local]bool // where not nil, gets the variables that are mentioned
}

// function is one that is being walked. What depends on which of its variables are captured waits for its end.
type function struct {
	outer *block // where it stands
	later []func()
}

// block is a scope.
type block struct {
	outer  *block // nil: the outermost of its function
	fn     *function
	locals []*local
	first  int // variables of its function around it, and so the register of its first
	loop   *loop
	labels map[string]*label
}

// local is a variable.
type local struct {
	name     string
	captured bool // by a function inside
	last     bool // the last parameter
}

// shared tells whether others than its function know a variable.
func (l *local) shared() bool { return l != nil && l.captured }

// label is a place to go to.
type label struct {
	reached bool
	active  int // variables of the function at it
}

// loop is one that break leaves.
type loop struct {
	slot   *ast.Stmt // where it stands
	target string    // label behind it, if there has to be one
}

// leaveLabel is the label behind a loop, which no script can spell.
const leaveLabel = "(break)"

func (b *block) active() int { return b.first + len(b.locals) }

func (m *mender) declare(names ...string) {
	for _, name := range names {
		m.block.locals = append(m.block.locals, &local{name: name})
	}
}

// find gives the variable of that name, and whether it is one of the running function.
func (m *mender) find(name string) (l *local, own bool) {
	own = true
	for b := m.block; b != nil; {
		for i := len(b.locals) - 1; i >= 0; i-- {
			if b.locals[i].name == name {
				return b.locals[i], own
			}
		}
		if b.outer == nil {
			own, b = false, b.fn.outer
		} else {
			b = b.outer
		}
	}
	return nil, false
}

func (m *mender) enter(l *loop, stmts []ast.Stmt) {
	b := &block{outer: m.block, fn: m.fn, loop: l, labels: map[string]*label{}}
	if m.block != nil && m.block.fn == m.fn {
		b.first = m.block.active()
	} else {
		b.outer = nil
	}
	for _, s := range stmts {
		if l, ok := s.(*ast.LabelStmt); ok {
			b.labels[l.Name] = &label{}
		}
	}
	m.block = b
}

// chunk walks a whole file.
func (m *mender) chunk(stmts []ast.Stmt) { m.function(nil, false, stmts) }

// function walks a function with its parameters; variadic: there is a variable for the rest.
func (m *mender) function(params []string, variadic bool, stmts []ast.Stmt) {
	outer, around := m.fn, m.block
	m.fn = &function{outer: around}
	m.enter(nil, stmts)
	m.declare(params...)
	if n := len(params); n > 0 {
		m.block.locals[n-1].last = true
	}
	if variadic {
		m.declare("arg")
	}
	m.stmts(stmts)
	for _, f := range m.fn.later {
		f()
	}
	m.fn, m.block = outer, around
}

func (m *mender) scope(l *loop, stmts []ast.Stmt, names ...string) {
	around := m.block
	m.enter(l, stmts)
	m.declare(names...)
	m.stmts(stmts)
	m.block = around
}

func (m *mender) stmts(list []ast.Stmt) {
	for i := range list {
		m.stmt(&list[i])
	}
}

// The variables that a loop has beside those it names.
var (
	numericHidden = []string{"(for index)", "(for limit)", "(for step)"}
	genericHidden = []string{"(for generator)", "(for state)", "(for control)"}
)

func (m *mender) stmt(slot *ast.Stmt) {
	switch s := (*slot).(type) {
	case *ast.AssignStmt:
		m.assignment(slot, s)
	case *ast.LocalAssignStmt:
		m.local(s)
	case *ast.FuncCallStmt:
		m.exprs(s.Expr)
	case *ast.DoBlockStmt:
		m.scope(nil, s.Stmts)
	case *ast.WhileStmt:
		m.exprs(s.Condition)
		m.scope(&loop{slot: slot}, s.Stmts)
	case *ast.RepeatStmt:
		around := m.block
		m.enter(&loop{slot: slot}, s.Stmts)
		m.stmts(s.Stmts)
		m.exprs(s.Condition)
		m.block = around
	case *ast.IfStmt:
		m.exprs(s.Condition)
		m.scope(nil, s.Then)
		m.scope(nil, s.Else)
	case *ast.NumberForStmt:
		m.exprs(s.Init, s.Limit, s.Step)
		m.scope(&loop{slot: slot}, s.Stmts, append(numericHidden[:3:3], s.Name)...)
	case *ast.GenericForStmt:
		if apart := apartFirst(s); apart != nil {
			*slot = apart
			m.stmt(slot)
			return
		}
		m.exprs(s.Exprs...)
		fillFor(s)
		m.scope(&loop{slot: slot}, s.Stmts, append(genericHidden[:3:3], s.Names...)...)
	case *ast.FuncDefStmt:
		m.exprs(s.Name.Func, s.Name.Receiver)
		m.defined(s.Func, s.Name.Func == nil)
	case *ast.ReturnStmt:
		m.exprs(s.Exprs...)
	case *ast.LabelStmt:
		l := m.block.labels[s.Name]
		l.reached, l.active = true, m.block.active()
	case *ast.BreakStmt:
		m.leave(slot, s)
	case *ast.GotoStmt:
		m.jump(s)
	}
}

// local walks a declaration. What `local function` declares knows its own name. The engine takes local f = function ... for the same, unless another
// value follows.
func (m *mender) local(s *ast.LocalAssignStmt) {
	if len(s.Names) == 1 && len(s.Exprs) == 1 {
		f, ok := s.Exprs[0].(*ast.FunctionExpr)
		if ok && localFunction(s) {
			m.declare(s.Names...)
			m.exprs(f)
			return
		}
		if ok && mentions(f, s.Names[0]) {
			none := &ast.NilExpr{}
			at(none, f)
			s.Exprs = append(s.Exprs, none)
		}
	}
	m.exprs(s.Exprs...)
	m.declare(s.Names...)
}

// localFunction tells local function f() from local f = function(): the parser notes the last line of the first only.
func localFunction(s *ast.LocalAssignStmt) bool { return s.LastLine() != 0 }

func (m *mender) defined(f *ast.FunctionExpr, method bool) {
	var params []string
	if method {
		params = append(params, "self")
	}
	params = append(params, f.ParList.Names...)
	m.function(params, f.ParList.HasVargs, f.Stmts)
}

func (m *mender) exprs(list ...ast.Expr) { below{expr: m.expr}.exprs(list...) }

func (m *mender) expr(e ast.Expr) {
	switch e := e.(type) {
	case *ast.IdentExpr:
		l, own := m.find(e.Value)
		if l == nil {
			return
		}
		l.captured = l.captured || !own
		if m.reading != nil {
			m.reading[l] = true
		}
	case *ast.NumberExpr:
		mendNumber(e)
	case *ast.TableExpr:
		below{expr: m.expr}.ofExpr(e)
		m.table(e)
	case *ast.FunctionExpr:
		m.defined(e, false)
	default:
		below{expr: m.expr}.ofExpr(e)
	}
}

// jump notes a goto and where it leads, if that can be told: otherwise the engine complains.
func (m *mender) jump(s *ast.GotoStmt) {
	for b := m.block; b != nil; b = b.outer {
		l := b.labels[s.Label]
		if l == nil {
			continue
		}
		register := b.active()
		if l.reached {
			register = l.active
		}
		m.marks = append(m.marks, mark{s, s.Line(), register})
		return
	}
}

// leave has a break close what it leaves, if any of it is captured.
func (m *mender) leave(slot *ast.Stmt, s *ast.BreakStmt) {
	var left []*local
	b := m.block
	for ; b != nil; b = b.outer {
		left = append(left, b.locals...)
		if b.loop != nil {
			break
		}
	}
	if b == nil || len(left) == 0 {
		return
	}
	m.fn.later = append(m.fn.later, func() {
		for _, l := range left {
			if l.captured {
				to := &ast.GotoStmt{Label: leaveLabel}
				at(to, s)
				*slot = to
				m.marks = append(m.marks, mark{to, s.Line(), b.first})
				b.loop.label()
				return
			}
		}
	})
}

// label puts the label behind the loop.
func (l *loop) label() {
	if l.target != "" {
		return
	}
	l.target = leaveLabel
	behind := &ast.LabelStmt{Name: leaveLabel}
	at(behind, *l.slot)
	around := &ast.DoBlockStmt{Stmts: []ast.Stmt{*l.slot, behind}}
	at(around, *l.slot)
	*l.slot = around
}

// at gives a new node the place of the one it stands for.
func at(made, of ast.PositionHolder) {
	made.SetLine(of.Line())
	made.SetLastLine(of.LastLine())
}
