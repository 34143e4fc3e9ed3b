package record

import (
	"fmt"
	"strconv"
	"strings"

	"faust/luabind/fault"
)

// problem is what is wrong with a value, before it is known which record or message it belongs to. It is made only on failure.
type problem struct {
	path  string // user, items[2].price; "": the whole value
	what  string // is missing; is "x", expected float
	lost  string // the name of the field that is missing, if that is it, at the top level
	stray string // the name of the member that should not be there, if that is it
	want  string // what is expected, where the words of what do not end with it
	at    int    // for broken JSON: the byte, from 0; -1 otherwise
	tip   string
}

func wrong(format string, args ...any) *problem {
	return &problem{what: fmt.Sprintf(format, args...), at: -1}
}

// outside is a number beyond a limit.
func outside(number, how, want, limit string) *problem {
	p := wrong("is %s, %s %s", number, how, limit)
	p.want = want + " " + limit
	return p
}

func tooDeep() *problem { return wrong("is more than %d deep, or contains itself", maxDepth) }

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
func (p *problem) key(k string) *problem { return p.in("[" + strconv.Quote(fault.Cut(k, 40)) + "]") }

func (p *problem) hint(text string) *problem { p.tip = text; return p }

// text is the problem in words: 'amount' is missing.
func (p *problem) text() string {
	switch {
	case p.at >= 0:
		return fmt.Sprintf("broken JSON at byte %d: %s", p.at+1, p.what)
	case p.path == "":
		return p.what
	}
	return "'" + fault.Cut(p.path, 100) + "' " + strings.TrimPrefix(p.what, "it ")
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
	e := &fault.Error{Code: fault.Validation, Message: "not " + fault.Article(s.Name) + ": " + p.sentence()}
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

// Describe says what a record is, for messages; so do the values of the other types.
func (o *Object) Describe() string  { return fault.Article(o.schema.Name) }
func (s *Schema) Describe() string  { return "the record type " + s.Name }
func (n Int64) Describe() string    { return "the int64 " + n.String() }
func (d *Decimal) Describe() string { return "the decimal " + d.String() }
func (d Datetime) Describe() string { return "the datetime " + d.String() }
func (d Date) Describe() string     { return "the date " + d.String() }
func (null) Describe() string       { return "null" }
