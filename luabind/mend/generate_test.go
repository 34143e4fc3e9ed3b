package mend

import (
	"fmt"
	"math/rand"
	"strings"
)

// programPrelude is what the programs have in common. Names tell what a variable holds: n a number, t a table, f a function of numbers, b anything. They
// are few, so that they hide each other.
const programPrelude = `
local n1, n2, b1, b2 = 1, 2, true, nil
n3, n4, b3 = 3, 4, 'x'
local t1 = { 1, 2, 3, x = 4, y = 5 }
t2 = { 6, 7, x = 8, y = 9 }
local fns = {}
local function id(x) return x end
function two(x) return x, x + 1 end
local function f1(n1, n2) return (n1 or 0) + 1, n2 end
function f2(...) return select('#', ...), ... end
local function step(s, i) i = (i or 0) + 1 if i <= (s or 3) then return i, i * 2, 'z' end end
local function list(t) local i = 0 return function() i = i + 1 return t[i] end end
class = { add = function(self, n) self.x = (self.x or 0) + n return self.x end }
class.__index = class
function class:me() return self end
local function maker() return { it = step, list = list, 7, x = class } end
`

const programEnd = `
for i = 1, #fns do print('fn', fns[i]()) end
for i = 1, #fns do print('fn', fns[i]()) end
print(n1, n2, n3, n4, b1, b2, b3, t1[1], t1.x, t2[2], t2.y)
`

// progGen writes programs of the plain language: blocks, loops, jumps out of them, closures, several values. What they print does not depend on the
// order of what the language leaves open.
type progGen struct {
	*rand.Rand
	b      strings.Builder
	depth  int
	loops  int      // loops that break may leave, in the running function
	labels []string // that a goto may name, in the running function
	count  int
	vararg bool
}

func (g *progGen) pick(list ...string) string { return list[g.Intn(len(list))] }

func (g *progGen) emit(format string, values ...any) {
	fmt.Fprintf(&g.b, format, values...)
	g.b.WriteString(g.pick("\n", "\n", " "))
}

func (g *progGen) n() string { return g.pick("n1", "n2", "n3", "n4", "n1", "n2") }
func (g *progGen) t() string { return g.pick("t1", "t1", "t2") }
func (g *progGen) bool() string {
	return g.pick("b1", "b2", "b3")
}

// num writes an expression that is a number.
func (g *progGen) num(depth int) string {
	if depth > 2 {
		return g.pick("1", "2", "0", g.n(), g.n())
	}
	e := func() string { return g.num(depth + 1) }
	switch g.Intn(22) {
	case 19:
		return g.within(g.num, depth+1)
	case 0, 1, 2:
		return g.pick("0", "1", "2", "3", "10", "-1", "1.5", g.constant())
	case 3, 4, 5, 6, 7:
		return g.n()
	case 8, 9:
		return "(" + e() + g.pick(" + ", " - ") + e() + ")"
	case 10:
		return "(" + e() + " * " + e() + ") % 100"
	case 11:
		return "(" + g.any(depth+1) + " and " + e() + " or " + e() + ")"
	case 12:
		return g.pick("(1 and "+e()+")", "(nil or "+e()+")", "(false or "+e()+")", "(true and "+e()+")", "("+e()+" or "+e()+")", "("+e()+" and "+e()+")")
	case 13:
		return g.pick("id("+e()+")", "(two("+e()+"))", "id((two("+e()+")))", "(f1("+e()+", "+e()+"))", "select(2, "+e()+", "+e()+")")
	case 14:
		return "(" + g.t() + "[" + e() + "] or " + e() + ")"
	case 15:
		return "(" + g.t() + g.pick(".x", ".y", "['x']") + " or " + e() + ")"
	case 16:
		return g.pick("#'abc'", "#fns")
	case 17:
		return "-" + g.n()
	case 18:
		return g.pick("maker()[1]", "#maker()", "maker().x:me():add("+e()+")", "(maker().y or "+e()+")", g.rest("select('#', ...)"), g.rest("#{ 1, (...) }"), g.rest("select('#', "+e()+", (...))"))
	default:
		return g.n()
	}
}

// constant writes a number of which there are many.
func (g *progGen) constant() string { return fmt.Sprint(100 + g.Intn(1000)) }

// rest writes what mentions `...` where that is possible.
func (g *progGen) rest(text string) string {
	if g.vararg {
		return text
	}
	return g.n()
}

// within writes an expression as what a function gives.
func (g *progGen) within(write func(depth int) string, depth int) string {
	vararg := g.vararg
	g.vararg = false
	e := write(depth)
	g.vararg = vararg
	return g.pick("(function() return "+e+" end)()", "((function() return "+e+" end)())", "id(function() return "+e+" end)()")
}

// any writes an expression that may be anything that can be printed.
func (g *progGen) any(depth int) string {
	if depth > 2 {
		return g.pick("true", "false", "nil", g.bool(), g.n())
	}
	e := func() string { return g.any(depth + 1) }
	switch g.Intn(16) {
	case 14:
		return g.within(g.any, depth+1)
	case 0:
		return g.pick("true", "false", "nil", "'s'", "1")
	case 13:
		return g.rest("(...)")
	case 1, 2:
		return g.bool()
	case 3, 4, 5:
		return "(" + g.num(depth+1) + g.pick(" < ", " > ", " <= ", " >= ", " == ", " ~= ") + g.num(depth+1) + ")"
	case 6:
		return "not " + e()
	case 7, 8:
		return "(" + e() + " and " + e() + ")"
	case 9, 10:
		return "(" + e() + " or " + e() + ")"
	case 11:
		return "(" + e() + g.pick(" == ", " ~= ") + e() + ")"
	case 12:
		return g.pick("id("+e()+")", "(id("+e()+"))", "('a' .. "+g.num(depth+1)+")", "("+g.num(depth+1)+" .. 'z' .. "+g.num(depth+1)+")", g.t()+"[9]")
	default:
		return g.num(depth + 1)
	}
}

// cond writes a condition; constants are frequent, because compilers look at them.
func (g *progGen) cond() string {
	if g.Intn(4) == 0 {
		return g.pick("true", "false", "nil", "1", "not true", "not nil", "true and "+g.any(1), "false or "+g.any(1), g.any(1)+" or true", g.any(1)+" and false", "not (1 and "+g.any(1)+")")
	}
	return g.any(0)
}

// target writes what can be assigned a number.
func (g *progGen) target() string {
	return g.pick(g.n(), g.n(), g.n(), g.t()+".x", g.t()+"["+g.num(1)+" % 3 + 1]", g.t()+"["+g.n()+"]", g.bool())
}

// assignment writes one to several places. Of two that may be the same place it is open which is assigned last: there are none.
func (g *progGen) assignment() {
	seen, to, values := map[string]bool{}, []string{}, []string{}
	for range 1 + g.Intn(3) {
		target := g.target()
		name, _, index := strings.Cut(target, "[")
		if index {
			name = "[]"
		} else if strings.HasSuffix(name, ".x") {
			name = ".x"
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		to = append(to, target)
		if target[0] == 'b' {
			values = append(values, g.any(1))
		} else {
			values = append(values, g.num(1))
		}
	}
	switch n := len(to); {
	case n == 2 && g.Intn(4) == 0:
		values = []string{g.pick("two("+g.num(1)+")", "f1("+g.num(1)+", "+g.num(1)+")", "id("+g.num(1)+"), "+g.num(1))}
	case n == 3 && g.Intn(4) == 0:
		values = []string{values[0], g.pick("two("+g.num(1)+")", "f1("+g.num(1)+", "+g.num(1)+")")}
	case g.Intn(10) == 0:
		values = append(values, g.any(1))
	case n > 1 && g.Intn(20) == 0:
		values = values[1:]
	}
	g.emit("%s = %s", strings.Join(to, ", "), strings.Join(values, ", "))
}

func (g *progGen) values() string {
	var out []string
	for range 1 + g.Intn(3) {
		out = append(out, g.pick(g.num(0), g.num(0), g.num(0), g.any(1)))
	}
	if g.Intn(4) == 0 {
		out = append(out, g.pick("two("+g.num(1)+")", "f1("+g.num(1)+", "+g.num(1)+")", "f2("+g.num(1)+", "+g.any(1)+")", "(two(3))"))
		if g.vararg && g.Intn(2) == 0 {
			out[len(out)-1] = g.pick("...", "(...)")
		}
	}
	return strings.Join(out, ", ")
}

func (g *progGen) block(n int) {
	g.depth++
	labels := len(g.labels)
	for range g.Intn(n + 1) {
		g.stmt()
	}
	g.labels = g.labels[:labels]
	g.leave()
	g.depth--
}

// leave may write a last statement of a block.
func (g *progGen) leave() {
	switch {
	case g.Intn(8) != 0:
	case g.loops > 0 && g.Intn(2) == 0:
		g.emit("break")
	case g.Intn(3) == 0:
		g.emit("return %s", g.values())
	}
}

func (g *progGen) function(params string) string {
	loops, labels, vararg, b := g.loops, g.labels, g.vararg, g.b
	g.loops, g.labels, g.vararg, g.b = 0, nil, strings.HasSuffix(params, "..."), strings.Builder{}
	g.emit("function(%s)", params)
	if g.Intn(2) == 0 {
		g.block(4)
	} else {
		g.emit("do")
		g.block(4)
		g.emit("end do return %s end", g.values())
	}
	text := g.b.String() + "end"
	g.loops, g.labels, g.vararg, g.b = loops, labels, vararg, b
	return text
}

// body writes the body of a loop, at the end of which a goto may go on with the next turn.
func (g *progGen) body() {
	g.loops++
	if g.Intn(3) == 0 {
		g.count++
		label := fmt.Sprintf("continue%d", g.count)
		if g.Intn(2) == 0 {
			label = "continue"
		}
		labels := g.labels
		g.labels = append(g.labels[:len(labels):len(labels)], label, label)
		g.emit("do")
		g.block(4)
		g.emit("end")
		g.labels = labels
		g.emit("::%s::", label)
	} else {
		g.block(4)
	}
	g.loops--
}

func (g *progGen) stmt() {
	if g.depth > 3 {
		g.emit("print(%s)", g.num(1))
		return
	}
	switch g.Intn(45) {
	case 0, 1, 2, 3:
		g.emit("print(%s)", g.values())
	case 4, 5:
		g.emit("local %s = %s", g.pick("n1", "n2", "n1", "n2", "n3"), g.num(0))
	case 6:
		g.emit("local n1, n2 = %s, %s", g.num(0), g.num(0))
	case 7:
		g.emit("local %s = %s", g.bool(), g.any(0))
	case 8:
		g.emit("local t1 = { %s, x = %s, %s, y = %s, %s }", g.num(1), g.num(1), g.num(1), g.num(1), g.pick(g.num(1), "two("+g.num(1)+")"))
	case 9, 10:
		g.emit("%s = %s", g.n(), g.num(0))
	case 11, 12, 13:
		g.assignment()
	case 14:
		g.emit("%s, %s = %s, %s", "n1", "n2", g.num(1), g.num(1))
	case 15:
		g.emit("n1, n2 = %s", g.pick("n2, n1", "two(n2)", "f1(n2, n1)", "n2, n1, n1", "n2"))
		g.emit("n2 = n2 or 0")
	case 16, 17, 18:
		g.emit("if %s then", g.cond())
		g.block(3)
		for g.Intn(4) == 0 {
			g.emit("elseif %s then", g.cond())
			g.block(2)
		}
		if g.Intn(3) == 0 {
			g.emit("else")
			g.block(3)
		}
		g.emit("end")
	case 19, 20:
		g.emit("while %s do", g.cond())
		g.body()
		g.emit("end")
	case 21, 22:
		g.emit("repeat")
		g.body()
		g.emit("until %s", g.cond())
	case 23, 24:
		g.emit("for %s = %s, %s%s do", g.pick("n1", "n2", "i"), g.pick("1", "2", g.n()), g.pick("2", "3", "n1"), g.pick("", "", ", 1", ", 2"))
		g.body()
		g.emit("end")
	case 25, 26, 27:
		names := g.pick("n1", "n1, n2", "n2, n1", "n1, n2, b1", "n2", "n1, n2, b1, b2")
		if g.Intn(3) == 0 {
			g.iterated()
			break
		}
		g.emit("for %s in %s do", names, g.pick("step", "step, 2", "step, two(2)", "list(t1)", "list { 1, 2 }", "step, "+g.n()+", nil", "step, two(3), nil", "id(step)"))
		g.body()
		g.emit("end")
	case 28:
		g.emit("do")
		g.block(4)
		g.emit("end")
	case 29, 30:
		g.emit("fns[#fns + 1] = function() %s return %s end", g.pick("", "n1 = n1 + 1", "n2 = n2 * 2", "b1 = not b1"), g.pick("n1", "n2", "n1, n2", "n1 + n2", "b1", "t1.x"))
	case 31:
		g.emit("if #fns > 0 then print(fns[#fns]()) end")
	case 32:
		g.emit("local f1 = %s", g.function(g.pick("n1, n2", "n1", "...", "n1, ...")))
		g.emit("print(f1(%s))", g.values())
	case 33:
		g.emit("print((%s)(%s))", g.function(g.pick("", "n1", "...", "n1, n2, ...")), g.values())
	case 34, 35:
		if len(g.labels) > 0 {
			g.emit("%sgoto %s%s", "if "+g.cond()+" then ", g.labels[g.Intn(len(g.labels))], " end")
		}
	case 36:
		g.count++
		label := fmt.Sprintf("again%d", g.count)
		g.emit("do local %s = 0 ::%s::", "n4", label)
		labels := g.labels
		g.labels = append(g.labels[:len(labels):len(labels)], label)
		g.emit("do")
		g.block(4)
		g.emit("end n4 = n4 + 1 if n4 < %d then goto %s end end", 1+g.Intn(3), label)
		g.labels = labels
	case 37:
		if g.loops > 0 {
			g.emit("if %s then %s break end", g.cond(), g.pick("", "local n1 = 7 fns[#fns + 1] = function() n1 = n1 + 1 return n1 end", "print(n1)"))
		}
	case 38:
		g.emit("%s = %s", g.bool(), g.any(0))
	case 39:
		g.emit("local b1, b2 = %s, %s", g.any(0), g.any(1))
		g.assignment()
	case 40:
		g.emit("local id = %s", g.pick("function(x) return id(x) end", "function(x) return (id(x)) end", "function(x) return x and id(x) end"))
	case 41:
		g.first()
	case 42:
		if g.Intn(3) == 0 {
			g.many()
		}
	case 43:
		g.emit("local o = setmetatable({ x = %s }, class) print(o:add(%s), o.x)", g.num(1), g.num(0))
	default:
		g.emit("do return %s end", g.values())
	}
}

// first writes a loop over what calls something, or chooses, to get at its iterator.
func (g *progGen) first() {
	g.emit("for %s in %s do", g.pick("n1", "n1, n2", "n2, n1, b1"), g.pick("maker().it", "maker().it, 2", "id(list)(t1)", "maker().list(t1)", "maker().list(t1)", "("+g.any(1)+" and list or maker().list)(t2)",
		"("+g.bool()+" and maker() or maker()).list(t1)", "("+g.bool()+" and id(step) or maker().it), "+g.num(1)+" % 3", "select(2, 1, maker().it)", "maker().x:me().add and step", "(id(step)), 2"))
	g.body()
	g.emit("end")
}

// many writes a long list. Of the longest, the running function has more constants than fit into the operands of its instructions.
func (g *progGen) many() {
	n := []int{49, 50, 51, 99, 100, 300}[g.Intn(6)]
	g.emit("do local t1 = { x = %s,", g.num(1))
	for i := range n {
		fmt.Fprintf(&g.b, "%d,", 100+i)
	}
	g.emit("%s } print(t1[1], t1[50], t1[51], t1[%d], t1[%d], t1[%d], t1.x, t1.y) end",
		g.pick(g.num(1), "two("+g.num(1)+")", "two("+g.num(1)+"), y = "+g.num(1), "y = "+g.num(1)+", two("+g.num(1)+")", "y = two("+g.num(1)+")", "y = 3", g.rest("..."), g.rest("(...)")), n, n+1, n+2)
}

// iterated writes a loop that the load-time pass takes for one over a stream.
func (g *progGen) iterated() {
	if g.Intn(2) == 0 {
		g.emit("for %s in step do", g.pick("n1", "n2"))
		g.body()
		g.emit("end")
		return
	}
	g.emit("do local it = list { { x = %s, %s }, { y = %s, %s } }", g.num(1), g.num(1), g.num(1), g.num(1))
	g.emit("for t1 in it do")
	g.body()
	g.emit("end end")
}

func program(seed uint64) string {
	g := &progGen{Rand: rand.New(rand.NewSource(int64(seed)))}
	g.b.WriteString(programPrelude)
	g.emit("print((function(...)")
	g.vararg = true
	for range 2 + g.Intn(4) {
		g.stmt()
	}
	g.emit("end)(5, 'v'))")
	g.b.WriteString(programEnd)
	return g.b.String()
}
