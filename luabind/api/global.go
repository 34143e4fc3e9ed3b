package api

var globalEntries = []Entry{
	{
		Name: "null", Kind: Value, Type: "null",
		Text: "The value of a message without one, and of JSON's null; it equals json.null.",
		More: `It is not nil, and it is true in a condition: ask  v == null.  value = null sends a tombstone. A field of an object that is null in JSON is absent; ` +
			`in a list null stands where it stood.`,
		Example: `local list = json.decode '[1, null, 3]'
print(#list, list[2] == null, list[2] and true)  --> 3  true  true`,
		See: []string{"topic:send", "json"},
	},
	{
		Name: "say", Kind: Function,
		Params: []Param{{Name: "values", Type: Any, Rest: true, Text: "what to write"}},
		Text:   "Writes a line to standard output, as print does, but nothing with --quiet.",
		Example: `app.command('go', function()
  say('sent', 3)  --> sent  3
end)`,
		See: []string{"print", "pp", "log.info"},
	},
	{
		Name: "progress", Kind: Function,
		Params: []Param{
			{Name: "done", Type: Number, Text: "how much is done"},
			{Name: "total", Type: Number, Optional: true, Text: "how much there is to do"},
		},
		Text: "Shows how far a command has come: a bar in the last line of a terminal, a line of the log every ten seconds otherwise (level info).",
		More: `A command that sends shows how many messages it has sent without being asked.`,
		Example: `app.command('import', function()
  for i = 1, 3 do
    progress(i, 3)
  end
end)`,
		See: []string{"say", "app.command"},
	},
	{
		Name: "pp", Kind: Function,
		Params:  []Param{{Name: "values", Type: Any, Rest: true, Text: "what to write"}},
		Returns: []Return{{Type: "any, ...", Text: "the values"}},
		Text:    "Writes values to standard output so that they can be read, and gives them back.",
		Example: `local order = pp { id = 'o1', tags = { 'new' } }  --> { id="o1", tags={ "new" } }
print(order.id)  --> o1`,
		See: []string{"inspect"},
	},
	{
		Name: "inspect", Kind: Function,
		Params:  []Param{{Name: "value", Type: Any, Optional: true, Text: "the value"}},
		Returns: []Return{{Type: String}},
		Text:    "Writes a value as a text that can be read.",
		Example: `print(inspect { 1, 2, { a = true } })  --> { 1, 2, { a=true } }`,
		See:     []string{"pp", "json.encode"},
	},
	{
		Name: "confirm", Kind: Function, Waits: true,
		Params:  []Param{{Name: "question", Type: String, Text: "the question"}},
		Returns: []Return{{Type: Boolean}},
		Text:    "Asks a yes-or-no question on the terminal.",
		More:    `With --yes it is true without a question; without a terminal it raises.`,
		Example: `app.command('clear', function()
  if not confirm 'Really?' then fail 'nothing was done' end
end)`,
		See: []string{"prompt", "app.command"},
	},
	{
		Name: "prompt", Kind: Function, Waits: true,
		Params: []Param{{Name: "question", Type: String, Text: "the question"}, optional},
		Options: []Option{
			{Name: "secret", Type: Boolean, Default: "false", Text: "What is typed is not shown, and the answer is a secret."},
			{Name: "default", Type: String, Default: "''", Text: "The answer to an empty line."},
		},
		Returns: []Return{{Type: String, Text: "the line that was typed, or that standard input has; with secret = true a secret"}},
		Text:    "Asks for a line of text.",
		Example: `app.command('greet', function()
  say('hello ' .. prompt('Your name?', { default = 'you' }))  --> hello Anna
end)`,
		See: []string{"confirm", "app.command"},
	},
	{
		Name: "fail", Kind: Function,
		Params: []Param{{Name: "text", Type: Any, Text: "the text"}},
		Text:   "Ends a command with a plain message and exit code 1.",
		Example: `app.command('go', function()
  print(pcall(fail, 'no orders') == false)  --> true
end)`,
		See: []string{"app.stop", "error"},
	},
}

var errorEntries = []Entry{
	{
		Name: "error", Kind: Object,
		Text: "What faust, its modules and Lua itself raise; what pcall gives and on_error gets.",
		More: `tostring and .. give its text. error(x) of a script raises x as it is. The code cancelled passes through pcall.`,
		Example: `local ok, err = pcall(json.decode, '{')
print(ok, err.code)  --> false  decode`,
		See: []string{"pcall", "error", "app.agent"},
	},
	{Name: "error.message", Kind: Field, Type: String, Text: "What went wrong."},
	{Name: "error.code", Kind: Field, Type: String,
		Text: "What kind of error it is: usage validation decode timeout cancelled connection http_status too_large read_only agent_error script ..."},
	{Name: "error.cause", Kind: Field, Type: "any or nil", Text: "The error that caused it, or what a script raised."},
	{Name: "error.traceback", Kind: Field, Type: String, Text: "Which functions were called, innermost first."},
	{Name: "error.file", Kind: Field, Type: String, Text: "The file where it happened."},
	{Name: "error.line", Kind: Field, Type: Number, Text: "The line where it happened."},
}
