package module

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"faust/luabind/fault"
)

func TestRegex(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	for src, want := range map[string]string{
		`return regex.match('order 42 of 43', [[\d+]])`:                                                                                     "42",
		`return regex.match('2026-11', [[(\d+)-(\d+)]])`:                                                                                    "2026 11",
		`return regex.match('none', [[\d+]])`:                                                                                               "nil",
		`return regex.match('ac', '(a)(b)?(c)')`:                                                                                            "a false c",
		`local m = regex.match('2026-11', [[(?P<y>\d+)-(\d+)]]) return m.y, m[1], m[2], m[0], m.z`:                                          "2026 2026 11 2026-11 nil",
		`local m = regex.match('ac', '(?<a>a)(?<b>b)?') return m.a, m.b, m[2]`:                                                              "a nil nil",
		`return regex.match('aXbX', 'X', 3), regex.match('aXb', 'X', -1), regex.match('a', 'a', 2), regex.match('a', 'a', 9)`:               "X nil nil nil",
		`return regex.find('hello', 'l+')`:                                                                                                  "3 4",
		`return regex.find('hello', 'l+', 4)`:                                                                                               "4 4",
		`return regex.find('hello', '(l)(o)')`:                                                                                              "4 5 l o",
		`return regex.find('hello', '')`:                                                                                                    "1 0",
		`return regex.find('hello', 'x')`:                                                                                                   "nil",
		`return regex.test('hello', '^h.*o$'), regex.test('hello', '^e')`:                                                                   "true false",
		`local l = {} for w in regex.gmatch('a1 b2', [[\w\d]]) do l[#l + 1] = w end return table.concat(l, ',')`:                            "a1,b2",
		`local l = {} for k, v in regex.gmatch('a=1 b=2', [[(\w)=(\d)]]) do l[#l + 1] = k .. v end return table.concat(l, ',')`:             "a1,b2",
		`local l = {} for a, b in regex.gmatch('xy y xy', '(x)?(y)') do l[#l + 1] = tostring(a) .. b end return table.concat(l, ',')`:       "xy,falsey,xy",
		`local l = {} for m in regex.gmatch('a=1 b=2', [[(?<k>\w)=]]) do l[#l + 1] = m.k end return table.concat(l, ',')`:                   "a,b",
		`return table.concat(regex.split('a, b;c', '[,;] *'), '|'), #regex.split('', ','), table.concat(regex.split('a,b,c', ',', 2), '|')`: "a|b|c 1 a|b,c",
		`return regex.gsub('a1b22', [[\d+]], '<$0>')`:                                                                                       "a<1>b<22> 2",
		`return regex.gsub('a1b22', [[\d+]], '#', 1)`:                                                                                       "a#b22 1",
		`return regex.gsub('a1b22', [[\d+]], '#', 0)`:                                                                                       "a1b22 0",
		`return (regex.gsub('2026-11', [[(?<y>\d+)-(?<m>\d+)]], '${m}/${y} $$1 $1x'))`:                                                      "11/2026 $1 2026x",
		`return (regex.gsub('ac', '(a)(b)?', '[$1$2]'))`:                                                                                    "[a]c",
		`return (regex.gsub('a b c', [[\w]], { a = 'x', b = 2, c = false }))`:                                                               "x 2 c",
		`return (regex.gsub('k=v', [[(\w)=(\w)]], { k = 'K' }))`:                                                                            "K",
		`return (regex.gsub('a b', [[\w]], function(w) if w == 'a' then return w:upper() end end))`:                                         "A b",
		`return (regex.gsub('a=1', [[(\w)=(\w)]], function(k, v) return v .. k end))`:                                                       "1a",
		`return (regex.gsub('a=1', [[(?<k>\w)=]], function(m) return m.k .. ':' end))`:                                                      "a:1",
		`return regex.escape('a.b*c'), regex.match('xa.by', regex.escape('a.b'))`:                                                           `a\.b\*c a.b`,
		`local re = regex.new([[(\w+)@(\w+)]]) return re:match('me@home'), tostring(re), re:test('x'), (re:gsub('a@b', '$2@$1'))`:           `me (\w+)@(\w+) false b@a`,
		`local re = regex.new('l') return re:find('hello', 4), #re:split('hello'), regex.test('hello', re)`:                                 "4 3 true",
		`return regex.match('straße ÄÖ', [[\p{Lu}+]])`:                                                                                      "ÄÖ",
	} {
		s.want(src, want)
	}
	// A function may wait in the middle of a replacement.
	s.want(`return (regex.gsub('ab', '.', function(c) time.sleep(0.001) return c .. c end))`, "aabb")
}

func TestRegexErrors(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	for src, want := range map[string][2]string{
		`regex.new('(a')`:                                {"regex.new: the pattern cannot be read: missing closing ): '(a'", ""},
		`regex.match('x', 'a(?=b)')`:                     {"regex.match: the pattern cannot be read: invalid or unsupported Perl syntax: '(?='", "no look-ahead"},
		`regex.match('x', [[(a)\1]])`:                    {"invalid escape sequence", "no back references"},
		`regex.new('a{1001}')`:                           {"invalid repeat count", "at most 1000"},
		`regex.new()`:                                    {"regex.new: the pattern is missing", ""},
		`regex.new(5)`:                                   {"regex.new: the pattern is the number 5, expected a string or a regex", ""},
		`regex.match(5, 'x')`:                            {"regex.match: the text is the number 5, expected a string", ""},
		`regex.match('x')`:                               {"regex.match: the pattern is missing", ""},
		`regex.match('x', 'x', 1.5)`:                     {"regex.match: the start is the number 1.5, expected a whole number", ""},
		`regex.test('x', 'x', 1)`:                        {"regex.test: argument 3 is too many: the number 1", ""},
		`regex.split('x', 'x', 0)`:                       {"regex.split: the number of parts is the number 0", ""},
		`regex.gsub('x', 'x')`:                           {"regex.gsub: the replacement is missing", ""},
		`regex.gsub('x', 'x', 5)`:                        {"regex.gsub: the replacement is the number 5, expected a string, a table or a function", ""},
		`regex.gsub('x', 'x', '$1')`:                     {"there is no group 1: the pattern has 0", "$$ a dollar sign"},
		`regex.gsub('x', '(x)', '${y}')`:                 {"the pattern has no group 'y'", ""},
		`regex.gsub('x', 'x', '${y')`:                    {"a { after $ is not closed", ""},
		`regex.gsub('x', 'x', 'US$')`:                    {"a $ stands alone", ""},
		`regex.gsub('x', 'x', function() return {} end)`: {"regex.gsub: the replacement for 'x' is a table, expected a string", ""},
		`regex.new('x'):match()`:                         {"regex:match: the text is missing", ""},
		`regex.new('x'):match({})`:                       {"regex:match: the text is a table, expected a string", ""},
		`regex.new('x'):match('x', 1, 2)`:                {"regex:match: argument 3 is too many", ""},
		`regex.new('x').match('x')`:                      {"match is a method: it is called with a colon, regex:match(...), not with a dot", ""},
		`regex.new('x'):mach('x')`:                       {"a regex has no 'mach'", "did you mean 'match'?"},
		`regex.new('x').y = 1`:                           {"the fields of a regex cannot be assigned", ""},
		`regex:match('x', 'y')`:                          {"regex.match is called with a dot, not with a colon", ""},
	} {
		_, err := s.run(t.Context(), "\nlocal x = 1\n"+src)
		var e *fault.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, want[0]) || !strings.Contains(strings.Join(e.Hints, "\n"), want[1]) || e.Place.Line != 3 || e.Place.Column == 0 {
			t.Errorf("%s\n got %v at %v, hints %q\nwant %s", src, err, e.Place, e.Hints, want)
		}
	}
	// The caret is under the pattern.
	_, err := s.run(t.Context(), "regex.match('text', '[a')")
	var e *fault.Error
	if !errors.As(err, &e) || e.Place.Column != 21 || e.Place.EndColumn != 25 {
		t.Errorf("%v", e.Place)
	}
}

func TestPatternsAreKept(t *testing.T) {
	t.Parallel()
	var c patterns
	first, err := c.compiled("a+")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 * maxPatterns {
		if _, err := c.compiled(fmt.Sprintf("x%d", i)); err != nil {
			t.Fatal(err)
		}
		if again, _ := c.compiled("a+"); again != first {
			t.Fatalf("after %d others a pattern in use is compiled anew", i)
		}
		if n := len(c.young) + len(c.old); n > 2*maxPatterns {
			t.Fatalf("%d patterns are kept", n)
		}
	}
	if _, err := c.compiled("("); err == nil {
		t.Error("an error is lost")
	}
}
