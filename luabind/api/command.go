package api

var itemTypes = []string{"string", "int", "float", "bool", "duration", "path"}

var commandEntries = []Entry{
	{
		Name: "app.command", Kind: Function,
		Params: []Param{
			{Name: "name", Type: String, Text: "the name"},
			{Name: "options", Type: Options, Optional: true, Text: "help, and the options and arguments as items without names"},
			last("options", "what it does; a whole number it returns is the exit code"),
		},
		Options: []Option{{Name: "help", Type: String, Text: "What it does: the first line is shown in lists."}},
		Text:    "Declares a command of the app:  faust run app.lua NAME.",
		More: `The function gets one table of what was given: --max-messages is options.max_messages, and nil if it was not given and has no default. A command may send and ask; ` +
			`what it sent is stored before it ends. It connects to the broker only when it needs it.`,
		Example: `app.command('greet', {
  help = 'Greet somebody.',
  app.option('-n', '--times', { type = 'int', default = 2, min = 1, help = 'How often.' }),
  app.argument('name', { required = false }),
}, function(options)
  say(('hello %s'):rep(options.times, ', '):format(options.name or 'you', 'all'))  --> hello you, hello all
end)`,
		See: []string{"app.option", "app.argument", "say", "fail", "prompt", "confirm"},
	},
	{
		Name: "app.option", Kind: Function,
		Params: []Param{
			{Name: "flags", Type: String, Rest: true, Text: "'--max-messages', and a short form such as '-n' before or after it"},
			optional,
		},
		Options: []Option{
			{Name: "type", Type: String, Choices: itemTypes, Default: "'string'", Text: "What the value is; a bool has the forms --x and --no-x."},
			{Name: "default", Type: "value of the type", Text: "The value if it is not given; a list if it may be given several times."},
			{Name: "env", Type: String, Text: "The environment variable that gives the value if the command line does not."},
			{Name: "required", Type: Boolean, Default: "false", Text: "It has to be given."},
			{Name: "choices", Type: List, Min: 1, Of: "values", Text: "The values it may have."},
			{Name: "min", Type: "number or duration", Text: "The least value."},
			{Name: "max", Type: "number or duration", Text: "The greatest value."},
			{Name: "multiple", Type: Boolean, Default: "false", Text: "It may be given several times; the value is a list."},
			{Name: "secret", Type: Boolean, Default: "false", Text: "The value is a secret: shown nowhere, and asked for without echo if it is not given and there is a terminal."},
			helpOption,
		},
		Returns: []Return{{Type: "command item", Text: "for the table of app.command"}},
		Text:    "Declares an option of a command.",
		Example: `app.command('produce', {
  app.option('-m', '--max-messages', { type = 'int', default = 3, env = 'MAX_MESSAGES' }),
}, function(options)
  print(options.max_messages)  --> 3
end)`,
		See: []string{"app.command", "app.argument"},
	},
	{
		Name: "app.argument", Kind: Function,
		Params: []Param{{Name: "name", Type: String, Text: "the name"}, optional},
		Options: []Option{
			{Name: "type", Type: String, Choices: itemTypes, Default: "'string'", Text: "What the value is."},
			{Name: "required", Type: Boolean, Default: "true", Text: "It has to be given."},
			{Name: "multiple", Type: Boolean, Default: "false", Text: "It takes all arguments that are left; the value is a list."},
			{Name: "choices", Type: List, Min: 1, Of: "values", Text: "The values it may have."},
			helpOption,
		},
		Returns: []Return{{Type: "command item", Text: "for the table of app.command"}},
		Text:    "Declares an argument of a command, by position.",
		Example: `app.command('show', {
  app.argument('ids', { multiple = true, required = false, help = 'Which.' }),
}, function(options)
  print(options.ids)  --> nil
end)`,
		See: []string{"app.command", "app.option"},
	},
	{
		Name: "command item", Kind: Object,
		Text:    "What app.option and app.argument give: a part of a command's declaration.",
		Example: `app.command('go', { app.option('--fast', { type = 'bool' }) }, function() end)`,
		See:     []string{"app.command", "app.option", "app.argument"},
	},
}
