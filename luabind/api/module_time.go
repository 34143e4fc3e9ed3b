package api

var timeEntries = []Entry{
	{
		Name: "time", Kind: Module,
		Text: "Points in time, and waiting.",
		More: `Durations are seconds, or texts such as '250ms', '10s', '1h30m', '7d'; units: ns us ms s m h d w.`,
		Example: `local start = time.monotonic()
app.task(function()
  time.sleep '10ms'
  print(time.monotonic() > start)  --> true
end)`,
		See: []string{"datetime", "time.sleep", "app.timer"},
	},
	{
		Name: "time.now", Kind: Function, Returns: []Return{{Type: "datetime"}},
		Text:    "Gives the time.",
		Example: `print(time.now() > time.parse '1999-12-31')  --> true`,
		See:     []string{"datetime", "time.unix"},
	},
	{
		Name: "time.unix", Kind: Function, Returns: []Return{{Type: Number}},
		Text:    "Gives the time as seconds since 1970, with decimals.",
		Example: `print(time.unix() > 0)  --> true`,
		See:     []string{"time.now", "datetime:unix"},
	},
	{
		Name: "time.monotonic", Kind: Function, Returns: []Return{{Type: Number}},
		Text:    "Gives the seconds since the script was loaded, by a clock that nobody sets: for measuring.",
		Example: `print(time.monotonic() >= 0)  --> true`,
		See:     []string{"time.now"},
	},
	{
		Name: "time.parse", Kind: Function,
		Params:  []Param{{Name: "value", Type: "string, number, date or datetime", Text: "the text, by RFC 3339 (without zone it is UTC; a date is its midnight), or seconds since 1970"}},
		Returns: []Return{{Type: "datetime"}},
		Text:    "Reads a point in time.",
		Example: `print(time.parse '2026-11-23T18:00:00+01:00')  --> 2026-11-23T17:00:00Z
print(time.parse(60))  --> 1970-01-01T00:01:00Z`,
		See: []string{"datetime"},
	},
	{
		Name: "time.sleep", Kind: Function, Waits: true,
		Params: []Param{{Name: "duration", Type: Duration, Text: "the duration"}},
		Text:   "Waits; other tasks run meanwhile.",
		Example: `app.task(function()
  time.sleep '20ms'
  print 'later'  --> later
end)`,
		See: []string{"app.timer"},
	},
}

var uuidEntries = []Entry{
	{
		Name: "uuid", Kind: Module,
		Text:    "Unique identifiers.",
		Example: `print(#uuid.new())  --> 36`,
		See:     []string{"uuid.new", "uuid.v7"},
	},
	{
		Name: "uuid.new", Kind: Function, Returns: []Return{{Type: String}},
		Text:    "Makes a random UUID (version 4).",
		Example: `print(uuid.new() ~= uuid.new())  --> true`,
		See:     []string{"uuid.v7"},
	},
	{
		Name: "uuid.v7", Kind: Function, Returns: []Return{{Type: String}},
		Text: "Makes a UUID that sorts by time (version 7).",
		Example: `local a, b = uuid.v7(), uuid.v7()
print(a < b)  --> true`,
		See: []string{"uuid.new"},
	},
}

var envName = Param{Name: "name", Type: String, Text: "the name of the variable"}

var envEntries = []Entry{
	{
		Name: "env", Kind: Module,
		Text:    "Environment variables. One that is empty counts as not set.",
		Example: `print(env.get('SHOP_REGION', 'eu'))  --> eu`,
		See:     []string{"env.get", "app.configure"},
	},
	{
		Name: "env.get", Kind: Function,
		Params:  []Param{envName, {Name: "default", Type: Any, Optional: true, Text: "what to give if it is not set"}},
		Returns: []Return{{Type: "string or the default"}},
		Text:    "Gives an environment variable.",
		Example: `print(env.get('SHOP_REGION', 'eu'), env.get 'SHOP_REGION')  --> eu  nil`,
		See:     []string{"env.require", "env.int", "env.bool"},
	},
	{
		Name: "env.int", Kind: Function,
		Params:  []Param{envName, {Name: "default", Type: Any, Optional: true, Text: "what to give if it is not set"}},
		Returns: []Return{{Type: "number or the default"}},
		Text:    "Gives an environment variable as a whole number; raises if it is none.",
		Example: `print(env.int('SHOP_LIMIT', 100))  --> 100`,
		See:     []string{"env.get"},
	},
	{
		Name: "env.bool", Kind: Function,
		Params:  []Param{envName, {Name: "default", Type: Any, Optional: true, Text: "what to give if it is not set"}},
		Returns: []Return{{Type: "boolean or the default"}},
		Text:    "Gives an environment variable as true (1 true yes on) or false (0 false no off); raises if it is neither.",
		Example: `print(env.bool('SHOP_OPEN', true))  --> true`,
		See:     []string{"env.get"},
	},
	{
		Name: "env.require", Kind: Function,
		Params:  []Param{envName},
		Returns: []Return{{Type: String}},
		Text:    "Gives an environment variable; raises if it is not set.",
		Example: `print(pcall(env.require, 'SHOP_KEY') == false)  --> true`,
		See:     []string{"env.get"},
	},
}

var logEntries = concat([]Entry{{
	Name: "log", Kind: Module,
	Text: "Writes to the log of the worker, which goes to standard error.",
	More: `The level in force is the setting loglevel (-l info); what is below it is not written.`,
	Example: `log.info('orders read', { count = 3 })
log.warn 'slow'`,
	See: []string{"log.info", "log.error", "print"},
}}, levels())

// levels are log.debug and its kin.
func levels() []Entry {
	var entries []Entry
	for _, l := range []struct{ name, text string }{
		{"debug", "Logs what only helps to find a fault."}, {"info", "Logs what happened."},
		{"warn", "Logs what may be wrong."}, {"error", "Logs what went wrong."},
	} {
		entries = append(entries, Entry{
			Name: "log." + l.name, Kind: Function,
			Params: []Param{
				{Name: "text", Type: Any, Text: "the text"},
				{Name: "fields", Type: Table, Optional: true, Text: "the table of fields: name = value"},
			},
			Text: l.text, Example: "log." + l.name + "('order read', { id = 'o1' })", See: []string{"log"},
		})
	}
	return entries
}
