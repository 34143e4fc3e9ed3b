package api

var other = Param{Name: "other", Type: Any, Text: "what to compare with"}

// compared are the comparisons that a kind of value has as methods, for values that may be plain numbers or texts.
func compared(kind, example string) []Entry {
	var entries []Entry
	for _, c := range []struct{ name, text string }{
		{"eq", "Tells whether it equals another value; == with a plain value is always false."},
		{"lt", "Tells whether it is less than another value."},
		{"le", "Tells whether it is less than another value or equals it."},
	} {
		entries = append(entries, Entry{Name: kind + ":" + c.name, Kind: Method, Params: []Param{other},
			Returns: []Return{{Type: Boolean}}, Text: c.text, Example: example})
	}
	return append(entries, Entry{Name: kind + ":key", Kind: Method, Returns: []Return{{Type: String, Text: "the same text for equal values"}},
		Text: "Gives a text for use as a key: two equal values are two keys of a Lua table, their texts are one.", Example: example})
}

var recordEntries = []Entry{
	{
		Name: "record", Kind: Object,
		Text: "A record: what a record type makes, and what is read from a topic that has one.",
		More: `Its fields are those of the type; an assignment is checked. pairs gives the fields that are there, in the order of declaration; tostring writes it readably; ` +
			`two records of one type with the same fields are equal.`,
		Example: `local Order = app.record('Order', { id = 'string', total = 'float' })
local order = Order { id = 'o1', total = 9.5 }
order.total = 10
print(order)  --> Order{ id="o1", total=10 }`,
		See: []string{"app.record", "record:derive"},
	},
	{
		Name: "record:derive", Kind: Method,
		Params:  []Param{{Name: "fields", Type: Table, Text: "the fields that differ"}},
		Returns: []Return{{Type: "record"}},
		Text:    "Makes a copy with other values in some fields.",
		Example: `local Order = app.record('Order', { id = 'string', total = 'float' })
local order = Order { id = 'o1', total = 9.5 }
print(order:derive { total = 10 }.total, order.total)  --> 10  9.5`,
		See: []string{"app.record"},
	},
	{
		Name: "record type", Kind: Object,
		Text: "What app.record gives: called with a table it makes a record.",
		Example: `local Order = app.record('Order', { id = 'string' })
print(Order { id = 'o1' }.id)  --> o1`,
		See: []string{"app.record", "record"},
	},
	{Name: "record type.name", Kind: Field, Type: String, Text: "The type's name."},
}

const (
	timeExample = `local at = time.parse '2026-11-23T18:00:00Z'
local later = at + '1h'
print(at < later, at:lt(later), at:eq '2026-11-23T18:00:00Z', later - at)  --> true  true  true  3600
print(at:key())  --> 2026-11-23T18:00:00Z`
	dateExample = `local day = time.parse('2026-11-23T18:00:00Z'):date()
print(day:eq '2026-11-23', day:lt(day + 7), day:le(day), day:key())  --> true  true  true  2026-11-23`
	int64Example = `local n = json.decode '9007199254740993'
print(n:eq(n), n:lt(n + 1), n:le(n), n:key())  --> true  true  true  9007199254740993`
	decimalExample = `local d = json.decode('9007199254740993'):decimal() / 4
print(d:eq(d), d:lt(d + 1), d:le(d), d:key())  --> true  true  true  2251799813685248.25`
)

var layout = []Param{
	{Name: "layout", Type: String, Optional: true, Text: "the layout, as of os.date: '%Y-%m-%d %H:%M'"},
	{Name: "zone", Type: String, Optional: true, Text: "the time zone, such as 'Europe/Oslo'; UTC if left out"},
}

var valueEntries = concat([]Entry{
	{
		Name: "datetime", Kind: Object,
		Text: "A point in time, to the nanosecond, in UTC.",
		More: `datetime + duration and datetime - duration give a datetime, datetime - datetime seconds; datetimes compare with < and ==. In JSON it is written by RFC 3339. ` +
			`A comparison with a plain value needs :eq, :lt, :le; for use as a key there is :key().`,
		Example: `local at = time.parse '2026-11-23T18:00:00Z'
print(at + '1h30m', at.weekday)  --> 2026-11-23T19:30:00Z  1`,
		See: []string{"time.now", "time.parse", "datetime:format", "date"},
	},
	{
		Name: "datetime:format", Kind: Method, Params: layout, Returns: []Return{{Type: String}},
		Text: "Writes it as a layout says; without one by RFC 3339.",
		More: `Known: %Y %m %d %H %M %S %y %j %b %B %a %A %p %I %L (milliseconds) %f (microseconds) %z %Z %s %F %T %%.`,
		Example: `local at = time.parse '2026-11-23T18:00:00Z'
print(at:format('%d.%m.%Y %H:%M', 'Europe/Oslo'))  --> 23.11.2026 19:00`,
		See: []string{"time.parse"},
	},
	{
		Name: "datetime:unix", Kind: Method, Returns: []Return{{Type: Number}},
		Text:    "Gives the seconds since 1970, with decimals.",
		Example: `print(time.parse('1970-01-01T00:01:00Z'):unix())  --> 60`,
		See:     []string{"datetime:unix_ms", "time.unix"},
	},
	{
		Name: "datetime:unix_ms", Kind: Method, Returns: []Return{{Type: Number}},
		Text:    "Gives the milliseconds since 1970.",
		Example: `print(time.parse('1970-01-01T00:01:00Z'):unix_ms())  --> 60000`,
		See:     []string{"datetime:unix"},
	},
	{
		Name: "datetime:date", Kind: Method, Returns: []Return{{Type: "date"}},
		Text:    "Gives its day, in UTC.",
		Example: `print(time.parse('2026-11-23T18:00:00Z'):date())  --> 2026-11-23`,
		See:     []string{"date"},
	},
}, compared("datetime", timeExample), []Entry{
	{Name: "datetime.year", Kind: Field, Type: Number, Text: "The year."},
	{Name: "datetime.month", Kind: Field, Type: Number, Text: "The month, from 1."},
	{Name: "datetime.day", Kind: Field, Type: Number, Text: "The day of the month."},
	{Name: "datetime.hour", Kind: Field, Type: Number, Text: "The hour, from 0."},
	{Name: "datetime.min", Kind: Field, Type: Number, Text: "The minute."},
	{Name: "datetime.sec", Kind: Field, Type: Number, Text: "The second."},
	{Name: "datetime.nsec", Kind: Field, Type: Number, Text: "The nanoseconds of the second."},
	{Name: "datetime.weekday", Kind: Field, Type: Number, Text: "The day of the week: 1 is Monday, 7 Sunday."},
	{
		Name: "date", Kind: Object,
		Text: "A day of the calendar, without time and zone.",
		More: `date + n and date - n are n days on, date - date is a number of days; dates compare with < and ==.`,
		Example: `local day = time.parse('2026-11-23T18:00:00Z'):date()
print(day + 7, day.weekday)  --> 2026-11-30  1`,
		See: []string{"datetime:date", "datetime"},
	},
	{
		Name: "date:format", Kind: Method, Params: layout[:1], Returns: []Return{{Type: String}},
		Text:    "Writes it as a layout says; without one as 2026-11-23.",
		Example: `print(time.parse('2026-11-23T18:00:00Z'):date():format '%d.%m.%Y')  --> 23.11.2026`,
		See:     []string{"datetime:format"},
	},
	{
		Name: "date:datetime", Kind: Method, Returns: []Return{{Type: "datetime"}},
		Text:    "Gives its midnight, in UTC.",
		Example: `print(time.parse('2026-11-23T18:00:00Z'):date():datetime())  --> 2026-11-23T00:00:00Z`,
		See:     []string{"datetime:date"},
	},
}, compared("date", dateExample), []Entry{
	{Name: "date.year", Kind: Field, Type: Number, Text: "The year."},
	{Name: "date.month", Kind: Field, Type: Number, Text: "The month, from 1."},
	{Name: "date.day", Kind: Field, Type: Number, Text: "The day of the month."},
	{Name: "date.weekday", Kind: Field, Type: Number, Text: "The day of the week: 1 is Monday, 7 Sunday."},
	{
		Name: "int64", Kind: Object,
		Text: "A whole number of 64 bits: what a number beyond 2^53 is, which a Lua number cannot hold exactly.",
		More: `It calculates with its own kind and with whole numbers; overflow, and a division that leaves a rest, raise. A comparison with a plain number needs :eq, :lt, :le.`,
		Example: `local n = json.decode '9007199254740993'
print(n + 1, json.encode(n))  --> 9007199254740994  9007199254740993`,
		See: []string{"decimal", "app.record"},
	},
	{
		Name: "int64:div", Kind: Method, Params: []Param{{Name: "other", Type: "int64 or whole number", Text: "the divisor"}}, Returns: []Return{{Type: "int64"}},
		Text:    "Divides and rounds down.",
		Example: `print(json.decode('9007199254740993'):div(2))  --> 4503599627370496`,
		See:     []string{"int64:decimal"},
	},
	{
		Name: "int64:number", Kind: Method, Returns: []Return{{Type: Number}},
		Text:    "Gives the nearest Lua number.",
		Example: `print(json.decode('9007199254740993'):number() > 100)  --> true`,
		See:     []string{"int64:decimal"},
	},
	{
		Name: "int64:decimal", Kind: Method, Returns: []Return{{Type: "decimal"}},
		Text:    "Gives a decimal of the same value, which has fractions and no limit.",
		Example: `print(json.decode('9007199254740993'):decimal() * 2)  --> 18014398509481986`,
		See:     []string{"decimal"},
	},
}, compared("int64", int64Example), []Entry{
	{
		Name: "decimal", Kind: Object,
		Text: "An exact decimal number: what a field of type decimal is, for money.",
		More: `It calculates with decimals, int64, whole numbers and texts of digits; a division is rounded to 34 digits, anything else that would have to be rounded raises. ` +
			`A comparison with a plain number needs :eq, :lt, :le.`,
		Example: `local Price = app.record('Price', { amount = 'decimal' })
local price = Price { amount = '0.10' }
print(price.amount + '0.20', price.amount:eq '0.1')  --> 0.30  true`,
		See: []string{"app.record", "int64"},
	},
	{
		Name: "decimal:round", Kind: Method,
		Params:  []Param{{Name: "places", Type: Whole, Optional: true, Text: "the number of decimals; 0 if left out"}},
		Returns: []Return{{Type: "decimal"}},
		Text:    "Rounds to a number of decimals, half to even.",
		Example: `local Price = app.record('Price', { amount = 'decimal' })
print(Price { amount = '2.345' }.amount:round(2))  --> 2.34`,
		See: []string{"decimal:number"},
	},
	{
		Name: "decimal:number", Kind: Method, Returns: []Return{{Type: Number}},
		Text: "Gives the nearest Lua number.",
		Example: `local Price = app.record('Price', { amount = 'decimal' })
print(Price { amount = '0.5' }.amount:number() < 1)  --> true`,
		See: []string{"decimal:round"},
	},
}, compared("decimal", decimalExample))

func concat(parts ...[]Entry) []Entry {
	var entries []Entry
	for _, p := range parts {
		entries = append(entries, p...)
	}
	return entries
}
