package module

import (
	"errors"
	"strings"
	"testing"

	"faust/luabind/fault"
)

func TestEncodings(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	for src, want := range map[string]string{
		`return base64.encode('hello'), base64.encode('')`:                                                                                       "aGVsbG8= ",
		`return base64.encode('\251\255\254'), base64.encode('\251\255\254', { url = true })`:                                                    "+//+ -__-",
		`return base64.encode('a', { url = true }), base64.encode('a', { url = true, padding = true }), base64.encode('a', { padding = false })`: "YQ YQ== YQ",
		`return base64.decode('aGVsbG8='), base64.decode('aGVsbG8'), base64.decode('aGVs\r\nbG8=\n')`:                                            "hello hello hello",
		`return base64.decode('-__-', { url = true }) == '\251\255\254'`:                                                                         "true",
		`local b = random.bytes(100) return base64.decode(base64.encode(b)) == b`:                                                                "true",
		`return crypto.md5(''), crypto.sha1('')`:                                                                                                 "d41d8cd98f00b204e9800998ecf8427e da39a3ee5e6b4b0d3255bfef95601890afd80709",
		`return crypto.sha256('abc')`:                                                                                                            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		`return #crypto.sha384('abc'), #crypto.sha512('abc'), #crypto.sha256('abc', { raw = true })`:                                             "96 128 32",
		// RFC 4231, case 2
		`return crypto.hmac('sha256', 'Jefe', 'what do ya want for nothing?')`:                                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		`return #crypto.hmac('sha1', 'k', 'x', { raw = true })`:                                               "20",
		`return #crypto.random(16), #crypto.random(16, { hex = true }), crypto.random(8) ~= crypto.random(8)`: "16 32 true",
		`return crypto.equal('abc', 'abc'), crypto.equal('abc', 'abd'), crypto.equal('abc', 'ab')`:            "true false false",
		`return url.encode('a b/c?d=é&+~-_.'), url.decode('a%20b%2Fc+')`:                                      "a%20b%2Fc%3Fd%3D%C3%A9%26%2B~-_. a b/c+",
		`local u = url.parse('https://me:pw@Example.com:8443/a%20b?x=1&y=2&y=3&z#top')
			return u.scheme, u.user, u.password, u.host, u.port, u.path, u.query.x, table.concat(u.query.y, '+'), '[' .. u.query.z .. ']', u.fragment`: "https me pw Example.com 8443 /a b 1 2+3 [] top",
		`local u = url.parse('/only/path') return u.scheme, u.host, u.port, u.path, next(u.query)`:                                                             "nil nil nil /only/path nil",
		`return url.parse('mailto:a@b.example').path, url.parse('http://[::1]:80/').host`:                                                                      "a@b.example ::1",
		`return url.build { scheme = 'https', host = 'h', port = 8443, path = 'a b', query = { q = 'x y', n = 2, l = { 1, 'b' }, f = true }, fragment = 'f' }`: "https://h:8443/a%20b?f=true&l=1&l=b&n=2&q=x+y#f",
		`return url.build { path = '/p', query = {} }, url.build { scheme = 'http', host = '::1' }, url.build { scheme = 'http', host = '::1', port = 80 }`:    "/p http://[::1] http://[::1]:80",
		`return url.build { scheme = 'http', host = 'h', user = 'u:', password = 'p@' }`:                                                                       "http://u%3A:p%40@h",
		`return url.build(url.parse 'https://h:1/a%20b?x=1&x=2')`:                                                                                              "https://h:1/a%20b?x=1&x=2",
		`return url.build { path = '/', query = { at = time.parse '2026-11-23', d = decimal '1.50', n = int64 '9007199254740993' } }`:                          "/?at=2026-11-23T00%3A00%3A00Z&d=1.50&n=9007199254740993",
		`local q = url.query('?a=1&b=x+y&b=%26') return q.a, q.b[1], q.b[2]`:                                                                                   "1 x y &",
		`return decimal.new '0.10' + decimal '0.20', decimal(3), decimal.new(decimal '1.5'), decimal(int64 '7')`:                                               "0.30 3 1.5 7",
		`return int64.new '9007199254740993' + 1, int64 '9007199254740993', int64(5)`:                                                                          "9007199254740994 9007199254740993 5",
	} {
		s.want(src, want)
	}
}

func TestEncodingErrors(t *testing.T) {
	t.Parallel()
	s := newStage(t, Config{})
	for src, want := range map[string]fault.Error{
		`base64.encode()`:                         {Code: fault.Usage, Message: "base64.encode: the text is missing"},
		`base64.encode(5)`:                        {Code: fault.Usage, Message: "base64.encode: the text is the number 5, expected a string"},
		`base64.encode('x', { ulr = true })`:      {Code: fault.Usage, Message: "unknown option 'ulr' for base64.encode"},
		`base64.encode('x', { url = 1 })`:         {Code: fault.Usage, Message: "option 'url' of base64.encode is the number 1, expected true or false"},
		`base64.decode('a b=')`:                   {Code: fault.Decode, Message: "base64.decode: the text is not base64: it has ' ' at 2"},
		`base64.decode('aGü')`:                    {Code: fault.Decode, Message: "it has 'ü' at 3"},
		`base64.decode('YQ=x')`:                   {Code: fault.Decode, Message: "it has '=' at 3"},
		`base64.decode('aGVsbG8hh')`:              {Code: fault.Decode, Message: "it ends in the middle of a byte"},
		`base64.decode('aGVs\nbG8 h')`:            {Code: fault.Decode, Message: "it has ' ' at 9"},
		`base64.decode('a-__')`:                   {Code: fault.Decode, Message: "it has '-' at 2", Hints: []string{"'-' and '_' are of the alphabet of URLs: { url = true }"}},
		`base64.decode('a+//', { url = true })`:   {Code: fault.Decode, Message: "it has '+' at 2", Hints: []string{"'+' and '/' are of the plain alphabet: leave { url = true } out"}},
		`crypto.sha256()`:                         {Code: fault.Usage, Message: "crypto.sha256: the text is missing"},
		`crypto.hmac('sha255', 'k', 'x')`:         {Code: fault.Usage, Message: "crypto.hmac: there is no algorithm 'sha255'", Hints: []string{"did you mean 'sha256'?  known: md5, sha1, sha256, sha384, sha512"}},
		`crypto.hmac('sha256', 'k')`:              {Code: fault.Usage, Message: "crypto.hmac: the text is missing"},
		`crypto.random(-1)`:                       {Code: fault.Usage, Message: "crypto.random: the number of bytes is the number -1"},
		`crypto.equal('x')`:                       {Code: fault.Usage, Message: "crypto.equal: the second text is missing"},
		`crypto.sha257('x')`:                      {Code: fault.Usage, Message: "crypto has no 'sha257'", Hints: []string{"did you mean 'crypto.sha256'?"}},
		`url.parse('http://h:x/')`:                {Code: fault.Decode, Message: `url.parse: the port is no number`},
		`url.parse('http://u:secret@h\1/')`:       {Code: fault.Decode, Message: "url.parse: invalid control character in URL"},
		`url.parse('/?a=%zz')`:                    {Code: fault.Decode, Message: `url.parse: invalid URL escape "%zz"`},
		`url.decode('%zz')`:                       {Code: fault.Decode, Message: `url.decode: invalid URL escape "%zz"`},
		`url.query('a=%')`:                        {Code: fault.Decode, Message: `url.query: invalid URL escape "%"`},
		`url.build()`:                             {Code: fault.Usage, Message: "url.build: the table of parts is missing"},
		`url.build { hots = 'x' }`:                {Code: fault.Usage, Message: "unknown option 'hots' for url.build", Hints: []string{"did you mean 'host'?  known: scheme, user, password, host, port, path, query, fragment"}},
		`url.build { port = 70000 }`:              {Code: fault.Usage, Message: "option 'port' of url.build is the number 70000, expected a whole number from 0 to 65535"},
		`url.build { query = 'a=b' }`:             {Code: fault.Usage, Message: `option 'query' of url.build is the string "a=b", expected a table of names and values`},
		`url.build { query = { a = null } }`:      {Code: fault.Usage, Message: "'null' is not defined"},
		`url.build { query = { a = json.null } }`: {Code: fault.Usage, Message: "'a' in option 'query' of url.build is null, expected a string or a number"},
		`url.build { query = { a = print } }`:     {Code: fault.Usage, Message: "'a' in option 'query' of url.build is a function, expected a string or a number"},
		`url.build { query = { 'x' } }`:           {Code: fault.Usage, Message: "option 'query' of url.build has the number 1 where a name is expected"},
		`decimal.new(0.1)`:                        {Code: fault.Validation, Message: "the number 0.1 is no decimal", Hints: []string{"a Lua number is no exact fraction; give the digits as text:  decimal.new '0.10'"}},
		`decimal 'x'`:                             {Code: fault.Validation, Message: `the string "x" is no decimal`},
		`decimal()`:                               {Code: fault.Usage, Message: "decimal: the value is missing"},
		`decimal.new('1', 2)`:                     {Code: fault.Usage, Message: "decimal.new: argument 2 is too many"},
		`int64.new(2^60)`:                         {Code: fault.Validation, Message: "is no int64", Hints: []string{"beyond 2^53 a Lua number is not exact; give the digits as text:  int64.new '9007199254740993'"}},
	} {
		_, err := s.run(t.Context(), "\nlocal x = 1\n"+src)
		var e *fault.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", src, err)
			continue
		}
		if strings.Contains(src, "a = null") {
			want.Code = fault.Script
		}
		if e.Code != want.Code || !strings.Contains(e.Message, want.Message) || e.Place.Line != 3 || e.Place.Column == 0 {
			t.Errorf("%s\n got %s %v at %v\nwant %s %s", src, e.Code, err, e.Place, want.Code, want.Message)
		}
		if want.Hints != nil && strings.Join(e.Hints, "; ") != want.Hints[0] {
			t.Errorf("%s: the hint is %q", src, e.Hints)
		}
		if strings.Contains(e.Error(), "secret") {
			t.Errorf("%s shows the password: %v", src, e)
		}
	}
}
