package record

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	lua "github.com/yuin/gopher-lua"

	"faust/luabind/fault"
)

// problem is what is wrong with a value, before it is known which record or message it belongs to. It is made only on failure.
type problem struct {
	path string // user, items[2].price; "": the whole value
	what string // is missing; is "x", expected float
	lost string // the name of the field that is missing, if that is it, at the top level
	at   int    // for broken JSON: the byte, from 0; -1 otherwise
	tip  string
}

func wrong(format string, args ...any) *problem {
	return &problem{what: fmt.Sprintf(format, args...), at: -1}
}

func broken(at int, format string, args ...any) *problem {
	return &problem{what: fmt.Sprintf(format, args...), at: at}
}

// in says that the problem is inside the field name.
func (p *problem) in(name string) *problem {
	if p.at >= 0 {
		return p
	}
	p.lost = ""
	switch {
	case p.path == "":
		p.path = name
	case p.path[0] == '[':
		p.path = name + p.path
	default:
		p.path = name + "." + p.path
	}
	return p
}

// item says that the problem is inside list item i, from 1.
func (p *problem) item(i int) *problem { return p.in("[" + strconv.Itoa(i) + "]") }

// key says that the problem is inside the entry k of a map.
func (p *problem) key(k string) *problem { return p.in("[" + strconv.Quote(cut(k, 40)) + "]") }

func (p *problem) hint(text string) *problem { p.tip = text; return p }

// text is the problem in words: 'amount' is missing.
func (p *problem) text() string {
	switch {
	case p.at >= 0:
		return fmt.Sprintf("broken JSON at byte %d: %s", p.at+1, p.what)
	case p.path == "":
		return p.what
	}
	return "'" + cut(p.path, 100) + "' " + p.what
}

// sentence is the problem in words that stand alone: it is a list, expected an object.
func (p *problem) sentence() string {
	if s := p.text(); p.path != "" || p.at >= 0 || !strings.HasPrefix(s, "is ") {
		return s
	}
	return "it " + p.what
}

// validation is the problem as the error of a script that made the value.
func (p *problem) validation(s *Schema) error {
	e := &fault.Error{Code: fault.Validation, Message: "not " + article(s.Name) + ": " + p.sentence()}
	if p.tip != "" {
		e.Hints = []string{p.tip}
	}
	e.Notes = []fault.Note{{Label: "expected", Text: s.Declaration()}}
	return e
}

// invalid is a validation error. A hint is added if it is not empty.
func invalid(hint, format string, args ...any) error {
	e := &fault.Error{Code: fault.Validation, Message: fmt.Sprintf(format, args...)}
	if hint != "" {
		e.Hints = []string{hint}
	}
	return e
}

// usage is an error in a declaration or in the use of our API.
func usage(hint, format string, args ...any) error {
	e := &fault.Error{Code: fault.Usage, Message: fmt.Sprintf(format, args...)}
	if hint != "" {
		e.Hints = []string{hint}
	}
	return e
}

// didYouMean is the hint for an unknown name.
func didYouMean(name string, known []string) string {
	list := "known: " + strings.Join(known, ", ")
	if best := fault.Suggest(name, known); best != "" {
		return "did you mean '" + best + "'?  " + list
	}
	return list
}

// article puts a or an before a name.
func article(name string) string {
	if name != "" && strings.ContainsRune("AEIOaeio", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// cut shortens text to at most n bytes, at a character, and says so with an ellipsis.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// quoteName writes what a script used as a name.
func quoteName(v lua.LValue) string {
	if s, ok := v.(lua.LString); ok {
		return "'" + cut(string(s), 60) + "'"
	}
	return describe(v)
}

// describe says what a Lua value is, shortly: the string "x", 12, a table, a function.
func describe(v lua.LValue) string {
	switch v := v.(type) {
	case lua.LString:
		return "the string " + strconv.Quote(cut(string(v), 40))
	case lua.LNumber:
		return "the number " + formatNumber(float64(v))
	case lua.LBool:
		return v.String()
	case *lua.LUserData:
		switch x := v.Value.(type) {
		case null:
			return "null"
		case *Object:
			return article(x.schema.Name)
		case *Schema:
			return "the record type " + x.Name
		case Int64:
			return "the int64 " + x.String()
		case *Decimal:
			return "the decimal " + x.String()
		case Datetime:
			return "the datetime " + x.String()
		case Date:
			return "the date " + x.String()
		}
		return "an object"
	}
	if v == lua.LNil {
		return "nil"
	}
	return "a " + v.Type().String()
}

// formatNumber writes a number as a reader expects it: 3, 0.5, 1e+30, NaN, inf.
func formatNumber(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case f == math.Trunc(f) && math.Abs(f) < 1e15:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}
