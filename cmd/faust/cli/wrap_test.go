package cli

import (
	"strings"
	"testing"

	"faust/luabind/fault"
)

func TestWrapped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"short", "short"},
		{"  error: an order", "  error: an order"},
		{"  error: an order that nobody works", "  error: an order\n    that nobody\n    works"},
		{"  key: abcdefghijklmnopqrstuvwxyz", "  key:\n    abcdefghijklmn\n    opqrstuvwxyz"},
		{"  e: äöü äöü äöü äöü", "  e: äöü äöü äöü\n    äöü"},
		{"  in:     place", "  in:     place"},
		{"  e: 日本語の長いテキスト", "  e: 日本語の長い\n    テキスト"},
	} {
		got := wrapped(c.text, 18, 4)
		if got != c.want {
			t.Errorf("%q\n got %q\nwant %q", c.text, got, c.want)
		}
		for _, line := range strings.Split(got, "\n") {
			if fault.Width(line) > 18 {
				t.Errorf("%q is too wide", line)
			}
		}
	}
	if got := wrapped("a bc def", 1, 2); strings.Join(strings.Fields(got), "") != "abcdef" {
		t.Errorf("no room: %q", got)
	}
}

func TestWrappedHelp(t *testing.T) {
	t.Parallel()
	help := `What it does, told in a line that is longer than there is room for, and
in another one.

list     The first thing it can do, in a column of its own
         that goes on here.
x        short

A Name that is very long indeed  its text, which has little room beside the name

Examples:
  faust run app.lua dlq replay @ledger --where 'error:find("closed")'`
	want := `What it does, told in a line that is
longer than there is room for, and in
another one.

list     The first thing it can do, in a
         column of its own that goes on
         here.
x        short

A Name that is very long indeed
    its text, which has little room
    beside the name

Examples:
  faust run app.lua dlq replay @ledger --where 'error:find("closed")'`
	if got := wrappedHelp(help, 40); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := wrappedHelp(help, 100); got != help {
		t.Errorf("there is room:\n%s", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"abcdef": "abcdef", "abcdefg": "abcde…", "日本語": "日本語", "日本語の": "日本…", "a日本語": "a日本…", "": ""} {
		if got := cut(text, 6); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}
