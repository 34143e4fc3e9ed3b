package record

import "testing"

func TestExplain(t *testing.T) {
	b := newBench(t)
	b.declare(`return record('Inner', { n='int' })`)
	s := b.declare(`return record('R', { f='float', list='[Inner]?', small={type='int', max=9, default=1}, least={type='decimal?', min=1, max=1.25} })`)
	for _, c := range []struct{ raw, field, expected string }{
		{`{"f":1}`, "", ""},
		{`{"f":"x"}`, "f", "float"},
		{`{}`, "f", "float"},
		{`{"f":1,"list":[{"n":1},{"n":"x"}]}`, "list[2].n", "an int (a whole number of at most 64 bits)"},
		{`{"f":1,"list":[{}]}`, "list[1].n", "int"},
		{`{"f":1,"small":10}`, "small", "at most 9"},
		{`{"f":1,"least":"0.5"}`, "least", "at least 1"},
		{`{"f":1,"least":"1.5"}`, "least", "at most 1.25"},
		{`[]`, "", ""},
		{`{"f":`, "", ""},
	} {
		if field, expected := s.Explain([]byte(c.raw)); field != c.field || expected != c.expected {
			t.Errorf("%s: %q %q, want %q %q", c.raw, field, expected, c.field, c.expected)
		}
	}
}
