package luabind

import (
	lua "github.com/yuin/gopher-lua"

	"faust/luabind/record"
	"faust/luabind/rewrite"
)

// site is a place that the pass changed, and what is known of it: it meets the same record types nearly always.
type site struct {
	rewrite.Site
	schema *record.Schema // of the literal
	shape  *record.Shape  // its names in schema
	from   *record.Schema // of the loop variable
	take   []int          // for each value in a row the number of the field of from that it is, -1: it is passed
	lacks  bool           // from has not all of them
}

// resolve resolves the names of the site's literal for a record type.
func (s *site) resolve(schema *record.Schema) *record.Shape {
	if s.schema != schema {
		names := s.Record
		if names == nil {
			names = s.Fields
		}
		s.schema, s.shape = schema, schema.Shape(names)
	}
	return s.shape
}

// owned resolves the names of the values that are fields of the loop variable; false: there is none of such a name.
func (s *site) owned(from *record.Schema) bool {
	if s.from != from {
		s.from, s.lacks, s.take = from, false, s.take[:0]
		for _, name := range s.Own {
			n := -1
			if name != "" {
				n = from.Index(name)
				s.lacks = s.lacks || n < 0
			}
			s.take = append(s.take, n)
		}
	}
	return !s.lacks
}

// row is the values of a send, some of them passed and some taken from the loop variable.
type row struct {
	L     *lua.LState
	site  *site
	at    int            // next argument
	place int            // of the next value in the row
	own   *record.Object // the loop variable; nil: all are passed
}

// next gives the next value.
func (r *row) next() (f given) {
	if r.own != nil && r.site.take[r.place] >= 0 {
		f = given{own: r.own, n: r.site.take[r.place]}
	} else {
		f.value = r.L.Get(r.at)
		r.at++
	}
	r.place++
	return f
}

// values appends the next n values to vals, nil for those that are fields of the loop variable.
func (r *row) values(vals []lua.LValue, n int) []lua.LValue {
	for range n {
		var v lua.LValue
		if r.own == nil || r.site.take[r.place] < 0 {
			v = r.L.Get(r.at)
			r.at++
		}
		vals = append(vals, v)
		r.place++
	}
	return vals
}

// given is a value that was passed, or field n of own.
type given struct {
	value lua.LValue
	own   *record.Object
	n     int
}

func (f given) get() lua.LValue {
	if f.own != nil {
		return f.own.Field(f.n)
	}
	return f.value
}
