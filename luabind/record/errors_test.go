package record

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

const known = "user, country, amount, date"

// TestDecodeErrors has every way in which a message is refused, with all that a reader sees.
func TestDecodeErrors(t *testing.T) {
	const expected = "\nexpected: user string, country string, amount float, date datetime?"
	tests := []struct{ raw, want string }{
		{`{"user":"user_81","country":"NO","ammount":12.5}`, "decode: not a Withdrawal: 'amount' is missing\n" +
			`value: {"user":"user_81","country":"NO","ammount":12.5}` + expected +
			"\nhint: it has 'ammount'; if old messages may lack the field, declare  amount = 'float?'"},
		{`{"user":"u","country":"NO"}`, "decode: not a Withdrawal: 'amount' is missing\nvalue: " + `{"user":"u","country":"NO"}` + expected +
			"\nhint: if old messages may lack the field, declare  amount = 'float?'"},
		{`{"user":"u","country":"NO","amount":"12"}`, "decode: not a Withdrawal: 'amount' is the string \"12\", expected float\nvalue: " +
			`{"user":"u","country":"NO","amount":"12"}` + expected},
		{`{"user":null,"country":"NO","amount":1}`, "decode: not a Withdrawal: 'user' is null, expected string\nvalue: " +
			`{"user":null,"country":"NO","amount":1}` + expected},
		{`{"user":{},"country":"NO","amount":1}`, "decode: not a Withdrawal: 'user' is an object, expected string\nvalue: " +
			`{"user":{},"country":"NO","amount":1}` + expected},
		{`[1]`, "decode: not a Withdrawal: it is a list, expected an object\nvalue: [1]" + expected},
		{`{"user":"u","country":"NO","amount":1,"date":"yesterday"}`, `decode: not a Withdrawal: 'date' is the string "yesterday", ` +
			`expected a datetime such as "2026-11-23T18:00:00Z"` + "\nvalue: " + `{"user":"u","country":"NO","amount":1,"date":"yesterday"}` + expected},
		{`{"user":"u","country":"NO","amount":1e999}`, "decode: not a Withdrawal: 'amount' is 1e999, too large for a float\nvalue: " +
			`{"user":"u","country":"NO","amount":1e999}` + expected},
		{`{"user":"u`, "decode: not a Withdrawal: broken JSON at byte 11: a string is not closed\nvalue: {\"user\":\"u" + expected},
		{`{"user" "u"}`, "decode: not a Withdrawal: broken JSON at byte 9: '\"' where ':' is expected\nvalue: " + `{"user" "u"}` + expected},
		{"", "decode: not a Withdrawal: broken JSON at byte 1: it ends where a value is expected\nvalue: " + expected},
		{"hello", "decode: not a Withdrawal: broken JSON at byte 1: 'h' where a value is expected\nvalue: hello" + expected},
		{message + "x", "decode: not a Withdrawal: broken JSON at byte 89: 'x' where the end is expected\nvalue: " + message + "x" + expected},
		{"{\"user\":\"\xff\"}", "decode: not a Withdrawal: broken JSON at byte 10: a string is not valid UTF-8\nvalue: " + `{"user":"\xff"}` + expected},
		{`{"x":"` + strings.Repeat("é", 200) + `"}`, "decode: not a Withdrawal: 'user' is missing\nvalue: " + `{"x":"` + strings.Repeat("é", 97) + "…" +
			expected + "\nhint: if old messages may lack the field, declare  user = 'string?'"},
	}
	b := newBench(t)
	s := b.declare(withdrawal)
	for _, tt := range tests {
		o := s.NewObject()
		if got := text(o.Reset([]byte(tt.raw))); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.raw, got, tt.want)
		}
	}
}

// TestFieldDecodeErrors has the messages about each type of field, and paths into lists, maps and records.
func TestFieldDecodeErrors(t *testing.T) {
	tests := []struct{ typ, raw, want string }{
		{`'int'`, `1.5`, "'f' is 1.5, expected an int (a whole number of at most 64 bits)"},
		{`'int'`, `9223372036854775808`, "'f' is 9223372036854775808, expected an int (a whole number of at most 64 bits)"},
		{`'int64'`, `"1"`, `'f' is the string "1", expected an int64 (a whole number of at most 64 bits)`},
		{`'bool'`, `1`, "'f' is the number 1, expected bool"},
		{`'bytes'`, `"a"`, `'f' is the string "a", expected bytes as base64`},
		{`'uuid'`, `"1234"`, `'f' is the string "1234", expected a uuid such as "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"`},
		{`'date'`, `"2026-02-29"`, `'f' is the string "2026-02-29", expected a date such as "2026-11-23"`},
		{`{type='datetime', format='unix_ms'}`, `"x"`, `'f' is the string "x", expected a datetime as a number (unix_ms)`},
		{`'decimal'`, `"1.x"`, `'f' is "1.x", expected a decimal such as "0.10"`},
		{`{type='int', min=1, max=9}`, `0`, "'f' is 0, less than the min of 1"},
		{`{type='float', max=9}`, `9.5`, "'f' is 9.5, more than the max of 9"},
		{`{type='decimal', min=0.1}`, `"0.09"`, "'f' is 0.09, less than the min of 0.1"},
		{`{type='decimal', max=1}`, `1.01`, "'f' is 1.01, more than the max of 1"},
		{`{type='string', choices={'red', 'green'}}`, `"gren"`, "'f' is the string \"gren\", expected one of: red, green\nhint: did you mean 'green'?"},
		{`'[int]'`, `[1,"2"]`, `'f[2]' is the string "2", expected an int (a whole number of at most 64 bits)`},
		{`'[int]'`, `{}`, "'f' is an object, expected [int]"},
		{`'{int:string}'`, `{"1":"a","x":"b"}`, `'f' has the key "x", expected int`},
		{`'{int:bool}'`, `{"1":true,"60000000":true}`, "'f' has the key 60000000 among 2; that is too sparse for a table\nhint: declare the keys as string"},
		{`'{string:[bool]}'`, `{"a":[true],"b c":[1]}`, `'f["b c"][1]' is the number 1, expected bool`},
		{`'Inner'`, `{"n":"x"}`, `'f.n' is the string "x", expected an int (a whole number of at most 64 bits)`},
		{`'Inner'`, `{}`, "'f.n' is missing"},
		{`'[Inner]'`, `[{"n":1},{"n":null}]`, "'f[2].n' is null, expected an int (a whole number of at most 64 bits)"},
		{`'{string:Inner}'`, `{"k":3}`, `'f["k"]' is the number 3, expected Inner`},
	}
	for _, tt := range tests {
		b := newBench(t)
		b.declare(`return record('Inner', { n='int' })`)
		s := b.declare(`return record('R', { f=` + tt.typ + ` })`)
		got := text(s.NewObject().Reset([]byte(`{"f":` + tt.raw + `}`)))
		got = strings.TrimPrefix(got, "decode: not a R: ")
		message, rest, _ := strings.Cut(got, "\nvalue: ")
		if _, hint, ok := strings.Cut(rest, "\nhint: "); ok {
			message += "\nhint: " + hint
		}
		if message != tt.want {
			t.Errorf("%s of %s\ngot  %s\nwant %s", tt.typ, tt.raw, message, tt.want)
		}
	}
}

// TestScriptErrors has what scripts do wrong with records.
func TestScriptErrors(t *testing.T) {
	const expected = "\nexpected: user string, country string, amount float, date datetime?"
	tests := []struct{ src, want string }{
		{`W{ user='u', country='c', ammount=1 }`, "validation: not a Withdrawal: it has no field 'ammount'" + expected +
			"\nhint: did you mean 'amount'?  known: " + known},
		{`W{ user='u', country='c' }`, "validation: not a Withdrawal: 'amount' is missing" + expected},
		{`W{ user='u', country='c', amount='1' }`, "validation: not a Withdrawal: 'amount' is the string \"1\", expected float" + expected},
		{`W{ user=true, country='c', amount=1 }`, "validation: not a Withdrawal: 'user' is true, expected string" + expected},
		{`W{ user=null, country='c', amount=1 }`, "validation: not a Withdrawal: 'user' is missing" + expected},
		{`W{ user='\255', country='c', amount=1 }`, "validation: not a Withdrawal: 'user' is \"\\xff\", which is not valid UTF-8" + expected +
			"\nhint: declare a field with arbitrary bytes as 'bytes'"},
		{`W{ user='u', country='c', amount=0/0 }`, "validation: not a Withdrawal: 'amount' is NaN, which JSON cannot hold" + expected},
		{`W{ user='u', country='c', amount=1/0 }`, "validation: not a Withdrawal: 'amount' is inf, which JSON cannot hold" + expected},
		{`W{ user='u', country='c', amount=1, date='soon' }`, "validation: not a Withdrawal: 'date' is the string \"soon\", expected datetime?" + expected +
			"\nhint: time.now() gives one, time.parse '2026-11-23T18:00:00Z' as well"},
		{`W{ 'u' }`, "validation: not a Withdrawal: it has no field the number 1" + expected + "\nhint: known: " + known},
		{`W(12)`, "validation: not a Withdrawal: it is the number 12, expected a table" + expected + "\nhint: write  Withdrawal{ user = ... }"},
		{`return w.ammount`, "validation: a Withdrawal has no field 'ammount'\nhint: did you mean 'amount'?  known: " + known},
		{`w.ammount = 1`, "validation: a Withdrawal has no field 'ammount'\nhint: did you mean 'amount'?  known: " + known},
		{`w.amount = nil`, "validation: not a Withdrawal: 'amount' is missing" + expected},
		{`w.amount = {}`, "validation: not a Withdrawal: 'amount' is a table, expected float" + expected},
		{`return #w`, "validation: a Withdrawal has no length\nhint: '#' counts lists and strings"},
		{`w:derive{ amont=2 }`, "validation: not a Withdrawal: it has no field 'amont'" + expected + "\nhint: did you mean 'amount'?  known: " + known},
		{`w:derive(2)`, "usage: derive got the number 2, expected a table of fields\nhint: write  w:derive{ amount = 2 }"},
		{`w.derive{ amount=2 }`, "usage: derive of a table, expected a record\nhint: write  w:derive{ amount = 2 }  with a colon"},
		{`return W.user`, "validation: record Withdrawal has no 'user'\nhint: Withdrawal is a record type, not a record:  Withdrawal{ ... }  makes one"},
		{`return null.x`, "validation: null has no field 'x'\nhint: the value is null: a message without value (tombstone) or a JSON null; ask  v == null  first"},
	}
	b := newBench(t)
	b.L.SetGlobal("W", b.declare(withdrawal).Value())
	b.eval(`w = W{ user='u', country='c', amount=1 }`)
	for _, tt := range tests {
		_, err := b.try(tt.src)
		if got := text(err); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.src, got, tt.want)
		}
	}
}

// TestDeclarationErrors has what can be wrong with app.record.
func TestDeclarationErrors(t *testing.T) {
	const types = "types are string int float bool bytes datetime date uuid decimal int64 any, a record, '[T]', '{K:T}' and 'T?'"
	tests := []struct{ fields, want string }{
		{`{ amount='flaot' }`, "usage: unknown type 'flaot' of field 'amount' of R\nhint: did you mean 'float'?  " +
			"known: string, int, float, bool, bytes, datetime, date, uuid, decimal, int64, any"},
		{`{ amount='[int' }`, "usage: unreadable type '[int' of field 'amount' of R: ']' is missing\nhint: " + types},
		{`{ amount='{string int}' }`, "usage: unreadable type '{string int}' of field 'amount' of R: ':' is missing\nhint: " + types},
		{`{ amount='{float:int}' }`, "usage: unreadable type '{float:int}' of field 'amount' of R: the keys of a map are string, int or uuid\nhint: " + types},
		{`{ amount='int]' }`, "usage: unreadable type 'int]' of field 'amount' of R: there is ']' after it\nhint: " + types},
		{`{ amount='' }`, "usage: unreadable type '' of field 'amount' of R: a type's name is missing\nhint: " + types},
		{`{ 'amount' }`, "usage: record R: a field without a name (the string \"amount\")\nhint: fields are given by name:  user = 'string'"},
		{`{ amount=12 }`, "usage: field 'amount' of R is the number 12, expected a type\nhint: write a type, or a table such as { type = 'float', default = 0 }"},
		{`{ amount={ typ='int' } }`, "usage: unknown option 'typ' for field 'amount' of R\nhint: did you mean 'type'?  " +
			"known: type, default, min, max, choices, format, help"},
		{`{ amount={ default=1 } }`, "usage: field 'amount' of R has no type\nhint: write  type = 'float'"},
		{`{ amount={ type='int', default='x' } }`, "usage: default of field 'amount' of R is the string \"x\", expected int"},
		{`{ amount={ type='int', default=0, min=1 } }`, "usage: default of field 'amount' of R is 0, less than the min of 1"},
		{`{ amount={ type='string', min=1 } }`, "usage: min and max of field 'amount' of R: only numbers have them"},
		{`{ amount={ type='int', min='1' } }`, "usage: min of field 'amount' of R is the string \"1\", expected a number"},
		{`{ amount={ type='int', format='unix' } }`, "usage: format of field 'amount' of R: only a datetime has one"},
		{`{ at={ type='datetime', format='unix_sm' } }`, "usage: unknown format 'unix_sm' of field 'at' of R\nhint: did you mean 'unix_ms'?  " +
			"known: rfc3339, unix, unix_ms, unix_us, unix_ns"},
		{`{ amount={ type='bool', choices={true} } }`, "usage: choices of field 'amount' of R: a list of values for a string, int or float"},
		{`{ amount={ type='int', choices={1, 'x'} } }`, "usage: choices of field 'amount' of R: '[2]' is the string \"x\", expected int"},
		{`{ amount={ type='int', help=1 } }`, "usage: help of field 'amount' of R is the number 1, expected a string"},
		{`{ next='R' }`, "usage: field 'next' of R would contain itself without end\nhint: declare it as 'R?' or '[R]'"},
	}
	for _, tt := range tests {
		b := newBench(t)
		_, err := b.try(`return record('R', ` + tt.fields + `)`)
		if got := text(err); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.fields, got, tt.want)
		}
	}
	b := newBench(t)
	b.eval(`record('R', {})`)
	for name, want := range map[string]string{"R": "usage: record 'R' is declared twice", "int": "usage: a record cannot be called 'int': that is a type",
		"json": "usage: a record cannot be called 'json': that is a codec", "a b": "usage: 'a b' cannot be the name of a record"} {
		if _, err := b.Declare(name, &lua.LTable{Metatable: lua.LNil}); text(err) != want {
			t.Errorf("%s: got %s", name, text(err))
		}
	}
}

// TestUnencodable has what json.encode and send refuse.
func TestUnencodable(t *testing.T) {
	tests := []struct{ src, want string }{
		{`{ items={ { fn=1 }, { fn=print } } }`, "validation: not JSON: 'value.items[2].fn' is a function, which JSON cannot hold"},
		{`{ 1, 2, x=3 }`, "validation: not JSON: 'value' is a table with list items and the field 'x'; JSON has lists and objects, not both in one\n" +
			"hint: put the items in a field of their own, or give all of them names"},
		{`{ a={ 1, nil, 3 } }`, "validation: not JSON: 'value.a' is a list with gaps\nhint: a list has values for 1, 2, 3 ...; put null where one is missing"},
		{`{ [1000]=1 }`, "validation: not JSON: 'value' is a list with gaps\nhint: a list has values for 1, 2, 3 ...; put null where one is missing"},
		{`{ [0]=1 }`, "validation: not JSON: 'value' is a table with the key the number 0; JSON has lists (1, 2, 3 ...) and objects (names)\n" +
			"hint: for an object, make the key text:  t[tostring(k)]"},
		{`{ [true]=1 }`, "validation: not JSON: 'value' is a table with the key true; JSON has lists (1, 2, 3 ...) and objects (names)\n" +
			"hint: for an object, make the key text:  t[tostring(k)]"},
		{`array { x=1 }`, "validation: not JSON: 'value' is a list with the field 'x'; JSON has lists and objects, not both in one\n" +
			"hint: an empty list of JSON stays a list; json.object(t) makes an object of it"},
		{`{ ['a b']={ 0/0 } }`, `validation: not JSON: 'value["a b"][1]' is NaN, which JSON cannot hold`},
		{`'\255'`, "validation: not JSON: 'value' is \"\\xff\", which is not valid UTF-8\nhint: declare a field with arbitrary bytes as 'bytes'"},
		{`{ '\255' }`, "validation: not JSON: 'value[1]' is \"\\xff\", which is not valid UTF-8\nhint: declare a field with arbitrary bytes as 'bytes'"},
	}
	b := newBench(t)
	for _, tt := range tests {
		_, err := b.JSON(b.L, b.eval(`return `+tt.src), 0)
		if got := text(err); got != tt.want {
			t.Errorf("%s\ngot  %s\nwant %s", tt.src, got, tt.want)
		}
	}
	_, err := b.JSON(b.L, b.eval(`local t = {} t.t = t return t`), 0)
	if got := text(err); !strings.HasSuffix(got, "is more than 256 deep, or contains itself") {
		t.Error(got)
	}
	_, err = b.JSON(b.L, b.eval(`local R = record('Node', { next='Node?' }) local n = R{} n.next = n return n`), 0)
	if got := text(err); !strings.HasSuffix(got, "is more than 256 deep, or contains itself") {
		t.Error(got)
	}
	if _, err := b.ParseJSON(b.L, []byte(strings.Repeat("[", 1e6))); text(err) == "" || !strings.Contains(text(err), "more than 256 deep") {
		t.Error(text(err))
	}
}
