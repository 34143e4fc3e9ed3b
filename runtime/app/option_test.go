package app

import (
	"strings"
	"testing"
)

func TestOptionCheck(t *testing.T) {
	t.Parallel()
	one, ten := 1.0, 10.0
	for _, c := range []struct {
		option     Option
		text, want string
		err        string
	}{
		{Option{Kind: String}, "x y", "x y", ""},
		{Option{Kind: String}, "", "", ""},
		{Option{Kind: Int}, "+7", "7", ""},
		{Option{Kind: Int}, "9007199254740993", "9007199254740993", ""},
		{Option{Kind: Int}, "7.5", "", "expected a whole number"},
		{Option{Kind: Float}, "7.5e3", "7.5e3", ""},
		{Option{Kind: Float}, "inf", "", "expected a number"},
		{Option{Kind: Bool}, "Yes", "true", ""},
		{Option{Kind: Bool}, "ja", "", "expected true or false"},
		{Option{Kind: Duration}, "1m30s", "90", ""},
		{Option{Kind: Duration}, "250ms", "0.25", ""},
		{Option{Kind: Duration}, "soon", "", "expected a duration"},
		{Option{Kind: Path}, "", "", "expected a path"},
		{Option{Kind: Int, Min: &one, Max: &ten}, "11", "", "expected 1 to 10"},
		{Option{Kind: Int, Min: &one}, "0", "", "expected at least 1"},
		{Option{Kind: Float, Max: &ten}, "10.5", "", "expected at most 10"},
		{Option{Kind: Duration, Max: &ten}, "1m", "", "expected at most 10s"},
		{Option{Kind: Int, Min: &one, Max: &ten}, "10", "10", ""},
		{Option{Kind: String, Choices: []string{"a", "b"}}, "c", "", "expected one of: a, b"},
		{Option{Kind: String, Choices: []string{"a", "b"}}, "b", "b", ""},
	} {
		got, err := c.option.Check(c.text)
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s %q: %q, %v", c.option.Kind, c.text, got, err)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s %q: %q, %v, expected %s", c.option.Kind, c.text, got, err, c.err)
		}
	}
}

func TestArgumentCheck(t *testing.T) {
	t.Parallel()
	a := Argument{Kind: Int, Choices: []string{"1", "2"}}
	if v, err := a.Check("2"); err != nil || v != "2" {
		t.Error(v, err)
	}
	if _, err := a.Check("3"); err == nil {
		t.Error("3 is no choice")
	}
}
