package api

var (
	textParam    = Param{Name: "text", Type: String, Text: "the text"}
	secretParam  = Param{Name: "text", Type: "string or secret", Text: "the text"}
	patternParam = Param{Name: "pattern", Type: "string or regex", Text: "the pattern"}
	startParam   = Param{Name: "start", Type: Whole, Optional: true, Text: "the number of the byte to begin at; a negative one counts from the end"}
)

var regexEntries = concat([]Entry{
	{
		Name: "regex", Kind: Module,
		Text: "Regular expressions, as RE2 has them.",
		More: `Each method of a regex is a function here as well, which takes the text and then the pattern. Patterns are written best in [[ ]], where \ is no escape. ` +
			`There are no back references and no look-around; no pattern takes more than linear time.`,
		Example: `print(regex.match('order-42', [[(\w+)-(\d+)]]))  --> order  42`,
		See:     []string{"regex.new", "regex:match", "string.match"},
	},
	{
		Name: "regex.new", Kind: Function, Params: []Param{patternParam}, Returns: []Return{{Type: "regex"}},
		Text: "Compiles a pattern.",
		Example: `local number = regex.new [[\d+]]
print(number:match 'order-42')  --> 42`,
		See: []string{"regex:match"},
	},
	{
		Name: "regex.escape", Kind: Function, Params: []Param{textParam}, Returns: []Return{{Type: String}},
		Text:    "Makes a pattern that matches just a text.",
		Example: `print(regex.escape '1.5')  --> 1\.5`,
		See:     []string{"regex.new"},
	},
}, regexSearches("regex.", Function), []Entry{
	{
		Name: "regex", Kind: Object,
		Text: "What regex.new gives: a compiled pattern.",
		Example: `local pair = regex.new [[(?P<name>\w+)=(?P<value>\w+)]]
print(pair:match('colour=red').value)  --> red`,
		See: []string{"regex.new"},
	},
}, regexSearches("regex:", Method))

// regexSearches are what is done with a pattern: as functions of the module, and as methods.
func regexSearches(prefix string, kind Kind) []Entry {
	groups := Return{Type: "string, ...", Text: "its groups, or the whole of it if the pattern has none; one table if groups have names; nil if there is no match"}
	var entries []Entry
	for _, s := range []struct {
		name, text, example string
		more                []Param
		returns             []Return
	}{
		{"match", "Gives the first match in a text.", `print(%s'order-42'%s)  --> 42`, []Param{startParam}, []Return{groups}},
		{"find", "Finds the first match in a text, and gives where it begins and ends, then its groups.", `print(%s'order-42'%s)  --> 7  8`, []Param{startParam},
			[]Return{{Type: "number", Text: "the number of its first byte; nil if there is no match"}, {Type: "number", Text: "the number of its last byte"}, {Type: "string, ..."}}},
		{"gmatch", "Loops over all matches in a text.", "for n in %s'1 and 2'%s do print(n) end  --> 1\n--> 2", nil, []Return{{Type: "iterator", Text: "over what match gives"}}},
		{"gsub", "Replaces matches in a text.", `print(%s'order-42'%s)  --> order-#  1`,
			[]Param{
				{Name: "replacement", Type: "string, table or function", Text: "a text with $1, ${name} and $$; a table of replacements; or a function of what match gives"},
				{Name: "n", Type: Whole, Optional: true, Text: "the number of replacements; all if left out"},
			}, []Return{{Type: String}, {Type: Number, Text: "how many were replaced"}}},
		{"split", "Gives the list of what stands between the matches in a text.", `print(#%s'a1b2c'%s)  --> 3`,
			[]Param{{Name: "n", Type: Whole, Optional: true, Text: "the number of parts at most"}}, []Return{{Type: List}}},
		{"test", "Tells whether there is a match in a text.", `print(%s'order-42'%s)  --> true`, nil, []Return{{Type: Boolean}}},
	} {
		params, before, after := []Param{textParam}, "regex.new([[\\d+]]):"+s.name+"(", ")"
		if kind == Function {
			params, before, after = append(params, patternParam), "regex."+s.name+"(", ", [[\\d+]])"
		}
		if s.name == "gsub" {
			after = after[:len(after)-1] + ", '#')"
		}
		entries = append(entries, Entry{
			Name: prefix + s.name, Kind: kind, Params: append(params, s.more...), Returns: s.returns, Text: s.text,
			Example: fill(s.example, before, after), See: []string{"regex"},
		})
	}
	return entries
}

var base64Entries = []Entry{
	{
		Name: "base64", Kind: Module,
		Text:    "Bytes as letters and digits.",
		Example: `print(base64.encode 'faust')  --> ZmF1c3Q=`,
		See:     []string{"base64.encode", "base64.decode"},
	},
	{
		Name: "base64.encode", Kind: Function, Params: []Param{secretParam, optional},
		Options: []Option{
			{Name: "url", Type: Boolean, Default: "false", Text: "Use the alphabet of URLs, with - and _ for + and /."},
			{Name: "padding", Type: Boolean, Default: "true, with url false", Text: "Fill up with = at the end."},
		},
		Returns: []Return{{Type: String, Text: "a secret, if the text was one"}},
		Text:    "Writes a text as base64.",
		Example: `print(base64.encode('a?b>', { url = true }))  --> YT9iPg`,
		See:     []string{"base64.decode"},
	},
	{
		Name: "base64.decode", Kind: Function, Params: []Param{secretParam, optional},
		Options: []Option{{Name: "url", Type: Boolean, Default: "false", Text: "It is in the alphabet of URLs."}},
		Returns: []Return{{Type: String, Text: "a secret, if the text was one"}},
		Text:    "Reads base64, with or without padding; what is none raises decode.",
		Example: `print(base64.decode 'ZmF1c3Q=')  --> faust`,
		See:     []string{"base64.encode"},
	},
}

var partOptions = []Option{
	{Name: "scheme", Type: String, Text: "https, ..."},
	{Name: "user", Type: String, Text: "The user."},
	{Name: "password", Type: "string or secret", Text: "The password."},
	{Name: "host", Type: String, Text: "The host."},
	{Name: "port", Type: Whole, Max: 65535, Text: "The port."},
	{Name: "path", Type: String, Text: "The path."},
	{Name: "query", Type: Table, Of: "names and values", Text: "What stands behind the ?."},
	{Name: "fragment", Type: String, Text: "What stands behind the #."},
}

var urlEntries = []Entry{
	{
		Name: "url", Kind: Module,
		Text:    "Takes URLs apart and puts them together.",
		Example: `print(url.parse('https://shop.example:8443/orders?page=2').port)  --> 8443`,
		See:     []string{"url.parse", "url.build", "http"},
	},
	{
		Name: "url.parse", Kind: Function, Params: []Param{textParam},
		Returns: []Return{{Type: Table, Text: "{ scheme =, user =, password =, host =, port =, path =, query = {...}, fragment = }: decoded, without what is not there"}},
		Text:    "Takes a URL apart.",
		Example: `local u = url.parse 'https://shop.example/orders?page=2'
print(u.host, u.path, u.query.page)  --> shop.example  /orders  2`,
		See: []string{"url.build", "url.query"},
	},
	{
		Name: "url.build", Kind: Function, Params: []Param{{Name: "options", Type: Options}}, Options: partOptions,
		Returns: []Return{{Type: String, Text: "a secret, if one is in it"}},
		Text:    "Makes a URL of its parts.",
		Example: `print(url.build { scheme = 'https', host = 'shop.example', path = '/orders', query = { page = 2 } })
--> https://shop.example/orders?page=2`,
		See: []string{"url.parse"},
	},
	{
		Name: "url.query", Kind: Function, Params: []Param{textParam},
		Returns: []Return{{Type: Table, Text: "name = value; of a name that is there several times a list"}},
		Text:    "Reads what stands behind the ? of a URL.",
		Example: `print(url.query('page=2&tag=a&tag=b').tag[2])  --> b`,
		See:     []string{"url.parse"},
	},
	{
		Name: "url.encode", Kind: Function, Params: []Param{secretParam}, Returns: []Return{{Type: String, Text: "a secret, if the text was one"}},
		Text:    "Writes a text so that it can be a part of a URL: %20 for a space.",
		Example: `print(url.encode 'a b&c')  --> a%20b%26c`,
		See:     []string{"url.decode"},
	},
	{
		Name: "url.decode", Kind: Function, Params: []Param{secretParam}, Returns: []Return{{Type: String, Text: "a secret, if the text was one"}},
		Text:    "Reads a part of a URL.",
		Example: `print(url.decode 'a%20b%26c')  --> a b&c`,
		See:     []string{"url.encode"},
	},
}
