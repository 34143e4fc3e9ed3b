package console_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"faust/luabind"
	"faust/tests/seed"
)

// Typed line by line, a program prints what it prints as a whole.
func TestLineByLine(t *testing.T) {
	g := &program{Rand: rand.New(rand.NewPCG(seed.Of(t), 0))}
	_, script := open(t, luabind.Config{}, 0, "")
	for range 60 {
		text := g.text()
		whole, pieces := script.Console(0, nil).Open(""), script.Console(0, nil).Open("")
		want := eval(t, whole, text)
		var got, input string
		for line := range strings.SplitSeq(text, "\n") {
			input += line + "\n"
			if out := eval(t, pieces, input); out != "incomplete" {
				got, input = got+out, ""
			}
		}
		if got != want || strings.Contains(want, "error") {
			t.Fatalf("%s\nas a whole:\n%s\nline by line:\n%s", text, want, got)
		}
		whole.Close()
		pieces.Close()
	}
}

// program writes programs of which every line ends a statement or stands in a block.
type program struct {
	*rand.Rand
	names []string
	lines []string
}

func (g *program) text() string {
	g.names, g.lines = []string{"total"}, nil
	for range 3 + g.IntN(8) {
		g.statement("", 0)
	}
	return strings.Join(g.lines, "\n")
}

func (g *program) emit(indent, format string, args ...any) {
	g.lines = append(g.lines, indent+fmt.Sprintf(format, args...))
}

func (g *program) name() string { return g.names[g.IntN(len(g.names))] }

func (g *program) expr() string {
	switch g.IntN(4) {
	case 0:
		return fmt.Sprint(g.IntN(100))
	case 1:
		return g.name()
	case 2:
		return fmt.Sprintf("(%s + %d)", g.name(), g.IntN(9))
	}
	return fmt.Sprintf("#{ %s, %s }", g.name(), g.name())
}

func (g *program) statement(indent string, depth int) {
	kind := g.IntN(8)
	if depth > 2 {
		kind %= 3
	}
	switch kind {
	case 0:
		g.emit(indent, "print(%s, %s)", g.expr(), g.expr())
	case 1:
		g.emit(indent, "%s = %s", g.name(), g.expr())
	case 2:
		value := g.expr()
		if name := fmt.Sprintf("v%d", g.IntN(6)); depth == 0 {
			g.emit(indent, "local %s, w = %s, [[a", name, value)
			g.emit("", "b]]")
			g.names = append(g.names, name)
		} else {
			g.emit(indent, "%s = %s -- %s", g.name(), value, name)
		}
	case 3:
		g.block(indent, depth, "for i = 1, 3 do", "end")
	case 4:
		g.block(indent, depth, fmt.Sprintf("if %s > 10 then", g.expr()), "end")
	case 5:
		g.block(indent, depth, "do", "end")
	case 6:
		g.block(indent, depth, "ok = pcall(function(a, b)", "end, 1)")
	case 7:
		if depth > 0 {
			return
		}
		name := fmt.Sprintf("f%d", g.IntN(3))
		g.block(indent, depth, "local function "+name+"()", "end")
		g.emit(indent, "%s()", name)
	}
}

func (g *program) block(indent string, depth int, begin, end string) {
	g.emit(indent, "%s", begin)
	for range 1 + g.IntN(3) {
		g.statement(indent+"  ", depth+1)
	}
	g.emit(indent, "%s", end)
}
