package console

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"faust/tests/seed"
)

func TestRead(t *testing.T) {
	for text, want := range map[string]verdict{
		"":                                  complete,
		"  -- a remark":                     complete,
		"1 + 1":                             complete,
		"f()":                               complete,
		"f(), 2;":                           complete,
		"return 1":                          complete,
		"x = 1":                             complete,
		"local x":                           complete,
		"x = 1; x":                          complete,
		"x = 1\n1 + x":                      complete,
		"x = 1\nfor i = 1, 2 do\nend\nx":    complete,
		"f(":                                incomplete,
		"1 +":                               incomplete,
		"x =":                               incomplete,
		"t.":                                incomplete,
		"t = {":                             incomplete,
		"t = { 1,\n  2,":                    incomplete,
		"for i = 1, 2 do":                   incomplete,
		"for i = 1, 2 do\n  print(i)":       incomplete,
		"function f(a, b)":                  incomplete,
		"local function f()\n  return 1":    incomplete,
		"if a then b() else":                incomplete,
		"repeat x()":                        incomplete,
		"spawn(function()":                  incomplete,
		"print [[":                          incomplete,
		"x = [==[ a ]] b":                   incomplete,
		"--[[ a remark":                     incomplete,
		"x = 1 --[==[ a ]]":                 incomplete,
		"'a \\":                             incomplete,
		"'a \\\n":                           incomplete,
		"print('a \\":                       incomplete,
		"'a":                                wrong,
		"'a \\\\":                           wrong,
		"print('a":                          wrong,
		"'a\nb":                             wrong,
		"f(1))":                             wrong,
		"end":                               wrong,
		"x y":                               wrong,
		"if a != b then":                    wrong,
		"1 + + 2":                           wrong,
		"for i = 1, 2 do\n  x y\nend":       wrong,
		"x = 1\nfor i = 1, 2 do\nend\nx + ": incomplete,
	} {
		if _, got, err := read("console[1]", text); got != want || (err == nil) != (want == complete) {
			t.Errorf("%q: %d, want %d (%v)", text, got, want, err)
		}
	}
}

// The text that an error is about is that of the reading which got further.
func TestReadError(t *testing.T) {
	for text, want := range map[string]string{
		"1 + + 2": "console[1]:1:5",
		"x = = 2": "console[1]:1:5",
		"a, b":    "", // an expression
	} {
		in, _, err := read("console[1]", text)
		got := ""
		if err != nil {
			got = asPlace(in.explain(err))
		}
		if got != want {
			t.Errorf("%q: %s, want %s (%v)", text, got, want, err)
		}
	}
}

// Whatever a program is cut to is an input that goes on, or one that is whole: never a wrong one.
func TestReadPrefixes(t *testing.T) {
	files, err := filepath.Glob("../../examples/*/*.lua")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	more, _ := filepath.Glob("../fault/testdata/run/*.lua")
	random := rand.New(rand.NewPCG(seed.Of(t), 0))
	cuts := 0
	for _, file := range append(files, more...) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(src)
		if strings.HasPrefix(text, "#") {
			text = text[strings.IndexByte(text, '\n'):]
		}
		if _, what, err := read("x", text); what != complete {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for range 30 {
			cut := random.IntN(len(text))
			for cut > 0 && !strings.ContainsRune(" \n", rune(text[cut])) {
				cut--
			}
			if strings.Contains(text[:cut], "goto") || lookAt(text[:cut]).quote != 0 {
				continue // a string cannot go on in another line
			}
			cuts++
			if _, what, err := read("x", text[:cut]); what == wrong {
				t.Errorf("%s cut at %d is taken for wrong: %v\n%s", file, cut, err, text[max(0, cut-80):cut])
			}
		}
	}
	if cuts < 300 {
		t.Errorf("only %d cuts", cuts)
	}
}
