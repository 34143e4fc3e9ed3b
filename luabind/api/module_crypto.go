package api

import "strings"

// fill puts what stands before and after the text into an example.
func fill(example, before, after string) string {
	return strings.Replace(strings.Replace(example, "%s", before, 1), "%s", after, 1)
}

var rawOption = Option{Name: "raw", Type: Boolean, Default: "false", Text: "Give the bytes, not their hexadecimal digits."}

var cryptoEntries = concat([]Entry{{
	Name: "crypto", Kind: Module,
	Text:    "Hashes, signatures and random bytes.",
	Example: `print(#crypto.sha256 'faust', #crypto.random(16))  --> 64  16`,
	See:     []string{"crypto.sha256", "crypto.hmac", "crypto.random", "env.secret"},
}}, digests(), []Entry{
	{
		Name: "crypto.hmac", Kind: Function,
		Params: []Param{
			{Name: "algorithm", Type: String, Choices: []string{"md5", "sha1", "sha256", "sha384", "sha512"}, Text: "the algorithm"},
			{Name: "key", Type: "string or secret", Text: "the key"},
			secretParam, optional,
		},
		Options: []Option{rawOption},
		Returns: []Return{{Type: String, Text: "hexadecimal digits, or the bytes"}},
		Text:    "Signs a text with a key.",
		Example: `local signature = crypto.hmac('sha256', 'key', 'text')
print(crypto.equal(signature, crypto.hmac('sha256', 'key', 'text')))  --> true`,
		See: []string{"crypto.equal", "env.secret"},
	},
	{
		Name: "crypto.random", Kind: Function,
		Params:  []Param{{Name: "n", Type: Whole, Text: "the number of bytes"}, optional},
		Options: []Option{{Name: "hex", Type: Boolean, Default: "false", Text: "Give hexadecimal digits, not the bytes."}},
		Returns: []Return{{Type: String}},
		Text:    "Gives bytes that nobody can guess, whatever random.seed says.",
		Example: `print(#crypto.random(16, { hex = true }))  --> 32`,
		See:     []string{"random.bytes", "uuid.new"},
	},
	{
		Name: "crypto.equal", Kind: Function,
		Params: []Param{
			{Name: "a", Type: "string or secret", Text: "the first text"},
			{Name: "b", Type: "string or secret", Text: "the second text"},
		},
		Returns: []Return{{Type: Boolean}},
		Text:    "Compares two texts in a time that does not tell where they differ.",
		Example: `print(crypto.equal('signature', 'signature'))  --> true`,
		See:     []string{"crypto.hmac"},
	},
})

// digests are crypto.sha256 and its kin.
func digests() []Entry {
	var entries []Entry
	for _, d := range []struct{ name, text, digits string }{
		{"sha256", "Gives the SHA-256 hash of a text.", "64"},
		{"sha384", "Gives the SHA-384 hash of a text.", "96"},
		{"sha512", "Gives the SHA-512 hash of a text.", "128"},
		{"sha1", "Gives the SHA-1 hash of a text, which is broken: only for what demands it.", "40"},
		{"md5", "Gives the MD5 hash of a text, which is broken: only for what demands it.", "32"},
	} {
		entries = append(entries, Entry{
			Name: "crypto." + d.name, Kind: Function, Params: []Param{secretParam, optional}, Options: []Option{rawOption},
			Returns: []Return{{Type: String, Text: "hexadecimal digits, or the bytes"}},
			Text:    d.text, Example: "print(#crypto." + d.name + " 'faust')  --> " + d.digits, See: []string{"crypto.hmac"},
		})
	}
	return entries
}

var exactEntries = []Entry{
	{
		Name: "decimal", Kind: Module,
		Text:    "Makes exact decimal numbers:  decimal '0.10'  is short for decimal.new '0.10'.",
		Example: `print(decimal '0.10' + decimal '0.20', decimal '0.3' == decimal '0.10' + '0.20')  --> 0.30  true`,
		See:     []string{"decimal.new", "decimal:round"},
	},
	{
		Name: "decimal.new", Kind: Function,
		Params:  []Param{{Name: "value", Type: "string, whole number, int64 or decimal", Text: "the value"}},
		Returns: []Return{{Type: "decimal"}},
		Text:    "Makes a decimal.",
		More:    `A number with a fraction is refused: it is not exactly what was written. Write it as a text.`,
		Example: `print(decimal.new '0.10' * 3)  --> 0.30`,
		See:     []string{"decimal:round"},
	},
	{
		Name: "int64", Kind: Module,
		Text:    "Makes whole numbers of 64 bits:  int64 '9007199254740993'  is short for int64.new '9007199254740993'.",
		Example: `print(int64 '9007199254740993' + 1)  --> 9007199254740994`,
		See:     []string{"int64.new"},
	},
	{
		Name: "int64.new", Kind: Function,
		Params:  []Param{{Name: "value", Type: "string, whole number or int64", Text: "the value"}},
		Returns: []Return{{Type: "int64"}},
		Text:    "Makes an int64.",
		Example: `print(int64.new '9007199254740993')  --> 9007199254740993`,
		See:     []string{"int64:div"},
	},
}

var secretEntries = []Entry{
	{
		Name: "env.secret", Kind: Function, Params: []Param{envName}, Returns: []Return{{Type: "secret"}},
		Text:    "Gives a secret: a password or key that nothing shows.",
		More:    `It comes from the environment, from a file of its name in the folder FAUST_SECRETS_DIR, or from the file of --secrets; raises if it is in none of them.`,
		Example: `print(pcall(env.secret, 'SHOP_KEY') == false)  --> true`,
		See:     []string{"secret", "http", "app.option"},
	},
	{
		Name: "secret", Kind: Object,
		Text: "What env.secret gives: a text that is shown as *** and that only what sends it reads.",
		More: `Those are the url, headers, query, json, form and body of http, and the functions of crypto and base64. .. with a text gives a secret; it has no fields, methods or length.`,
		Example: `local ok, key = pcall(env.secret, 'SHOP_KEY')
if ok then print('Bearer ' .. key) end`,
		See: []string{"env.secret", "http"},
	},
}
