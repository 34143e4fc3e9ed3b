package mend

import (
	"strconv"

	"github.com/yuin/gopher-lua/ast"
)

// assigned is an assignment. What is no variable of the function that it stands in is nil.
type assigned struct {
	*ast.AssignStmt
	targets []*local          // the places that are variables
	objects []*local          // the variables whose fields are assigned
	values  []*local          // the values that are just variables
	reads   []map[*local]bool // by value: the variables, of whatever function, that it mentions
	runs    []bool            // by value: computing it may raise, or call something
	left    []bool            // by value: it may be left where a part of it was computed
}

// assignment walks an assignment, and has it compute everything before it assigns anything where the engine does not: it computes the value of a
// variable in its place, and takes the variables that it needs from where they are when it stores.
func (m *mender) assignment(slot *ast.Stmt, s *ast.AssignStmt) {
	if len(s.Lhs) == 1 && len(s.Rhs) == 1 && !keepsEarly(s.Rhs[0]) && !m.leaves(s.Rhs[0]) {
		switch e := s.Rhs[0].(type) { // it is all the same here, and the way that the engine gets right: see miscounted
		case *ast.FuncCallExpr:
			e.AdjustRet = false
		case *ast.Comma3Expr:
			e.AdjustRet = false
		}
		m.exprs(s.Lhs...)
		m.exprs(s.Rhs...)
		return
	}
	a := &assigned{AssignStmt: s}
	for _, l := range s.Lhs {
		m.expr(l)
		a.targets = append(a.targets, m.own(l))
		var object *local
		if get, ok := l.(*ast.AttrGetExpr); ok {
			object = m.own(get.Object)
		}
		a.objects = append(a.objects, object)
	}
	outer := m.reading
	for _, e := range s.Rhs {
		m.reading = map[*local]bool{}
		m.expr(e)
		a.values = append(a.values, m.own(e))
		a.reads = append(a.reads, m.reading)
		a.runs = append(a.runs, m.runs(e))
		a.left = append(a.left, m.leaves(e))
		for l := range m.reading {
			if outer != nil {
				outer[l] = true
			}
		}
	}
	m.reading = outer
	m.fn.later = append(m.fn.later, func() {
		if a.mixed() || a.miscounted() || a.watched() || a.lost() {
			*slot = a.apart()
		}
	})
}

// own gives the variable of the running function that e is, if it is one.
func (m *mender) own(e ast.Expr) *local {
	if id, ok := e.(*ast.IdentExpr); ok {
		if l, own := m.find(id.Value); own {
			return l
		}
	}
	return nil
}

// runs tells whether computing e may raise, or call something.
func (m *mender) runs(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.TrueExpr, *ast.FalseExpr, *ast.NilExpr, *ast.NumberExpr, *ast.StringExpr, *ast.Comma3Expr, *ast.FunctionExpr:
		return false
	case *ast.IdentExpr:
		l, _ := m.find(e.Value)
		return l == nil
	case *ast.LogicalOpExpr:
		return m.runs(e.Lhs) || m.runs(e.Rhs)
	case *ast.UnaryNotOpExpr:
		return m.runs(e.Expr)
	}
	return true
}

// mixed tells whether a variable is assigned while something else of the assignment needs what it was.
func (a *assigned) mixed() bool {
	for i, t := range a.targets {
		if t == nil {
			continue
		}
		if i < len(a.Rhs) && a.reads[i][t] && keepsEarly(a.Rhs[i]) {
			return true
		}
		for j := range a.Rhs {
			later, held := j > i, j < len(a.Lhs) && a.targets[j] == nil
			if later && a.reads[j][t] || held && a.values[j] == t {
				return true
			}
		}
		for j := range a.Lhs {
			if a.objects[j] == t || i != j && a.targets[j] == t {
				return true
			}
		}
	}
	return false
}

// lost tells whether a variable may miss its value.
func (a *assigned) lost() bool {
	for i, t := range a.targets {
		if t != nil && i < len(a.left) && a.left[i] {
			return true
		}
	}
	return false
}

// miscounted tells whether the engine loses count of its registers. It does where a field gets a variable's value and something before it is no field;
// where a variable gets the one value of `...`, which also clears the variables behind that; and where the last parameter gets the one value of a call: it
// prepares that call over the variables behind the parameter.
func (a *assigned) miscounted() bool {
	other := false
	for i, l := range a.Lhs {
		if i < len(a.Rhs) && a.targets[i] != nil {
			_, called := a.Rhs[i].(*ast.FuncCallExpr)
			rest, ok := a.Rhs[i].(*ast.Comma3Expr)
			if called && a.targets[i].last || ok && rest.AdjustRet {
				return true
			}
		}
		if _, ok := l.(*ast.AttrGetExpr); !ok {
			other = true
		} else if other && i < len(a.values) && a.values[i] != nil {
			return true
		}
	}
	return false
}

// watched tells whether code that the assignment runs may see, or change, a variable that was assigned already or is still needed. It is known only at the
// end of a function which of its variables others know.
func (a *assigned) watched() bool {
	runs := false
	for j := len(a.Rhs) - 1; j >= 0; j-- {
		if j < len(a.Lhs) && a.targets[j].shared() && a.runs[j] && keepsEarly(a.Rhs[j]) {
			return true
		}
		if runs && (a.values[j].shared() || j < len(a.Lhs) && a.targets[j].shared()) {
			return true
		}
		runs = runs || a.runs[j]
	}
	for _, o := range a.objects {
		if runs && o.shared() {
			return true
		}
	}
	return false
}

// apart computes everything into variables of its own and assigns it from there, the last first, as the engine does.
func (a *assigned) apart() ast.Stmt {
	compute := &ast.LocalAssignStmt{}
	at(compute, a)
	hold := func(of ast.Expr) ast.Expr {
		id := &ast.IdentExpr{Value: "(" + strconv.Itoa(len(compute.Names)+1) + ")"}
		at(id, of)
		compute.Names = append(compute.Names, id.Value)
		return id
	}
	places := make([]ast.Expr, len(a.Lhs))
	for i, l := range a.Lhs {
		places[i] = l
		get, ok := l.(*ast.AttrGetExpr)
		if !ok {
			continue
		}
		held := &ast.AttrGetExpr{Object: hold(get.Object), Key: get.Key}
		compute.Exprs = append(compute.Exprs, get.Object)
		if _, ok := get.Key.(*ast.StringExpr); !ok {
			held.Key = hold(get.Key)
			compute.Exprs = append(compute.Exprs, get.Key)
		}
		at(held, get)
		places[i] = held
	}
	compute.Exprs = append(compute.Exprs, a.Rhs...)
	assigns := make([]ast.Stmt, len(places))
	for i, place := range places {
		assign := &ast.AssignStmt{Lhs: []ast.Expr{place}, Rhs: []ast.Expr{hold(place)}}
		at(assign, a)
		assigns[len(places)-1-i] = assign
	}
	out := &ast.DoBlockStmt{Stmts: append([]ast.Stmt{compute}, assigns...)}
	at(out, a)
	return out
}
