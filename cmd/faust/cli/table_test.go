package cli

import (
	"strings"
	"testing"
)

// What is in a cell stays in it, and does nothing to a terminal.
func TestTableCells(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	list := &table{heads: []string{"ERROR", "TIMES"}}
	list.add("bad \x1b[31mred\u009b31m\nsecond line", "2")
	(&session{}).printTo(&b, list)
	want := `ERROR                                TIMES
bad \27[31mred\u009b31m second line  2
`
	if b.String() != want {
		t.Errorf("got\n%q\nwant\n%q", b.String(), want)
	}
}
