package repl

import (
	"fmt"
	"strings"
	"testing"
)

func TestStyles(t *testing.T) {
	names := map[string]string{ofKeyword: "keyword", ofString: "string", ofNumber: "number", ofComment: "comment", ofMatch: "match"}
	for _, c := range []struct {
		input string
		at    int
		want  string
	}{
		{"local x = 0x1F .. 'a\\'b' -- end", -1, "keyword local, number 0x1F, string 'a\\'b', comment -- end"},
		{"[==[ ]] end ]==] return end1", -1, "string [==[ ]] end ]==], keyword return"},
		{"--[[ if\n ]] x1 = 2.5e3", -1, "comment --[[ if\n ]], number 2.5e3"},
		{"[[ open", -1, "string [[ open"},
		{"'open", -1, "string 'open"},
		{":json 1", -1, "keyword json, number 1"},
		{"f(a[1], { 2 })", 14, "match (, number 1, number 2, match )"},
		{"f(a[1], { 2 })", 2, "match (, number 1, number 2, match )"},
		{"f(a[1])", 6, "match [, number 1, match ]"},
		{"for i in x do y() end", 21, "keyword for, keyword in, match do, match end"},
		{"if a then b() elseif c then d() else e() end", 44, "keyword if, keyword then, keyword elseif, match then, keyword else, match end"},
		{"repeat x() until y", 16, "match repeat, match until"},
		{"f(function() do end end)", 23, "match function, keyword do, keyword end, match end"},
		{"f(]", 3, ""},
		{"end", 3, "keyword end"},
		{"", 0, ""},
	} {
		var got []string
		last := 0
		for _, s := range styles(c.input, c.at) {
			if s.From < last || s.To > len(c.input) {
				t.Errorf("%q: spans overlap", c.input)
			}
			last = s.To
			got = append(got, fmt.Sprintf("%s %s", names[s.Style], c.input[s.From:s.To]))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%q at %d: %s; want %s", c.input, c.at, strings.Join(got, ", "), c.want)
		}
	}
}
