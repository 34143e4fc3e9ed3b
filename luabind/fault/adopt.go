package fault

import (
	"reflect"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// markShift is how far above the line of a node its mark is.
const markShift = 32

// maxUpvalues is how many upvalues the engine can count.
const maxUpvalues = 255

// MarkNodes gives each node of a chunk a mark of its own, in its line above the bits of the line: of two readings of one source equal nodes
// have equal marks. Who makes a node that stands for another gives it the lines of that one, and so its mark. See Adopt.
func MarkNodes(chunk []ast.Stmt) {
	n := 0
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface:
			walk(v.Elem())
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Pointer:
			if v.IsNil() {
				return
			}
			if node, ok := v.Interface().(ast.PositionHolder); ok {
				n++
				node.SetLine(node.Line() | n<<markShift)
			}
			for i := range v.Elem().NumField() {
				if f := v.Elem().Type().Field(i); f.IsExported() && !f.Anonymous {
					walk(v.Elem().Field(i))
				}
			}
		}
	}
	walk(reflect.ValueOf(chunk))
}

// Adopt has errors in proto, which was compiled of a marked and then changed syntax tree, told by original, which was compiled of the tree
// as marked: calls have the names that they have there, and the expression at fault is found by the instruction's place among those of
// original. It takes the marks out of the lines of proto. false: proto has more upvalues than the engine can count, do not use it.
func Adopt(proto, original *lua.FunctionProto) bool {
	of := map[int]*lua.FunctionProto{}
	each(original, func(p *lua.FunctionProto) { of[p.LineDefined] = p })
	fits := true
	each(proto, func(p *lua.FunctionProto) {
		fits = fits && len(p.DbgUpvalues) <= maxUpvalues
		if as := of[p.LineDefined]; as != nil {
			adopt(p, as)
		}
		p.LineDefined, p.LastLineDefined = unmarked(p.LineDefined), unmarked(p.LastLineDefined)
		for i := range p.Code {
			p.DbgSourcePositions[i] = unmarked(p.DbgSourcePositions[i])
		}
	})
	return fits
}

func unmarked(line int) int { return line & (1<<markShift - 1) }

func each(p *lua.FunctionProto, f func(*lua.FunctionProto)) {
	f(p)
	for _, child := range p.FunctionPrototypes {
		each(child, f)
	}
}

// marked is a kind of instruction made of one node.
type marked struct {
	mark int
	class
}

// adopt finds the instructions of p in as. Where each stood in its line follows the lines themselves in DbgSourcePositions: it lives and ends
// with the code.
func adopt(p, as *lua.FunctionProto) {
	there := instructions(as)
	seen := map[marked]int{}
	origins := make([]int, len(p.Code))
	pcs := map[int]int{} // of the calls
	for pc := range p.Code {
		origins[pc] = -1
		c := call{fn: &lua.LFunction{Proto: p}, pc: pc}
		got, ok := c.classAt(pc)
		m := marked{p.DbgSourcePositions[pc], got}
		if list := there[m]; ok && len(list) > 0 {
			at := list[seen[m]%len(list)] // a node that stands several times repeats its instructions
			seen[m]++
			origins[pc], pcs[pc] = at.origin, at.pc
		}
	}
	names := map[int]string{}
	for _, d := range as.DbgCalls {
		names[d.Pc] = d.Name
	}
	var named []lua.DbgCall
	for _, d := range p.DbgCalls {
		if at, ok := pcs[d.Pc]; ok {
			if name, ok := names[at]; ok {
				named = append(named, lua.DbgCall{Pc: d.Pc, Name: name})
			}
		}
	}
	p.DbgCalls = named
	p.DbgSourcePositions = append(p.DbgSourcePositions[:len(p.Code):len(p.Code)], origins...)
}

// spot is where an instruction of an original is, and its place among those of its line and class.
type spot struct{ pc, origin int }

// instructions lists those of a function by node and class.
func instructions(p *lua.FunctionProto) map[marked][]spot {
	c := call{fn: &lua.LFunction{Proto: p}, pc: -1}
	count := map[marked]int{} // of a line
	lined := func(pc int, got class) marked { return marked{unmarked(p.DbgSourcePositions[pc]), got} }
	for pc := range p.Code {
		if got, ok := c.classAt(pc); ok {
			count[lined(pc, got)]++
		}
	}
	index := map[marked]int{}
	out := map[marked][]spot{}
	for pc := range p.Code {
		got, ok := c.classAt(pc)
		if !ok {
			continue
		}
		line := lined(pc, got)
		m := marked{p.DbgSourcePositions[pc], got}
		out[m] = append(out[m], spot{pc, index[line]<<originShift | count[line]})
		index[line]++
	}
	return out
}

// originShift is how far above the number of like instructions in a line the place among them is.
const originShift = 31

// origin gives the place of the instruction at hand among those of its line and class, and how many these are, in the code as written.
func (c call) origin() (index, count int, ok bool) {
	p := c.fn.Proto
	if len(p.DbgSourcePositions) < 2*len(p.Code) {
		return 0, 0, false
	}
	o := p.DbgSourcePositions[len(p.Code)+c.pc]
	if o < 0 {
		return 0, 0, true
	}
	return o >> originShift, o & (1<<originShift - 1), true
}
