package luabind_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/app"
)

func TestCommandsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ src, want, hint string }{
		"no name":            {`app.command(function() end)`, "app.command: the name is", ""},
		"odd name":           {`app.command('a b', function() end)`, "a command's name has letters, digits", ""},
		"no function":        {`app.command('x', {})`, "app.command('x'): the function is missing", "the function comes last"},
		"built in":           {`app.command('worker', function() end)`, "the command 'worker' is built in", "another name"},
		"reserved":           {`app.command('graph', function() end)`, "'graph' is reserved for a command of a later version", "another name"},
		"twice":              {"app.command('x', function() end)\napp.command('x', function() end)", "a command of that name already, declared at", ""},
		"unknown option":     {`app.command('x', { hlep = 'y' }, function() end)`, "unknown option 'hlep' for app.command('x')", "did you mean 'help'?"},
		"item":               {`app.command('x', { '--max' }, function() end)`, `item 1 is the string "--max", expected app.option(...)`, ""},
		"two of a name":      {`app.command('x', { app.option('--a-b'), app.argument('a_b') }, function() end)`, "'a_b' is declared twice", ""},
		"two of a letter":    {`app.command('x', { app.option('-n', '--a'), app.option('-n', '--b') }, function() end)`, "'-n' is declared twice", ""},
		"its own negation":   {`app.command('x', { app.option('--a', { type = 'bool' }), app.option('--no-a') }, function() end)`, "mean the same", ""},
		"after all the rest": {`app.command('x', { app.argument('a', { multiple = true }), app.argument('b') }, function() end)`, "'b' comes after 'a', which takes all", ""},
		"required after not": {`app.command('x', { app.argument('a', { required = false }), app.argument('b') }, function() end)`, "'b' is required, but 'a' before it is not", ""},

		"no dashes":           {`app.option('max')`, "the name is 'max', expected a form like '--max-messages'", ""},
		"letter only":         {`app.option('-n')`, "'-n' needs a long name as well", ""},
		"long twice":          {`app.option('--a', '--b')`, "the name is '--b'", ""},
		"help":                {`app.option('--help')`, "--help and -h are built in", ""},
		"type":                {`app.option('--a', { type = 'integer' })`, "expected one of: string, int, float, bool, duration, path", "did you mean 'int'?"},
		"unknown in option":   {`app.option('--a', { defualt = 1 })`, "unknown option 'defualt' for app.option('--a')", "did you mean 'default'?"},
		"default of a type":   {`app.option('--a', { type = 'int', default = 1.5 })`, "option 'default' of app.option('--a') is the number 1.5: expected a whole number", ""},
		"default out of it":   {`app.option('--a', { type = 'int', default = 5, max = 4 })`, "expected at most 4", ""},
		"default no choice":   {`app.option('--a', { choices = { 'x', 'y' }, default = 'z' })`, "expected one of: x, y", ""},
		"default, required":   {`app.option('--a', { required = true, default = 'z' })`, "has no use for a default", ""},
		"default a table":     {`app.option('--a', { default = {} })`, "option 'default' of app.option('--a') is a table", ""},
		"limits of a text":    {`app.option('--a', { min = 1 })`, "is for the types int, float and duration, not for string", ""},
		"limits crossed":      {`app.option('--a', { type = 'int', min = 2, max = 1 })`, "max is less than min", ""},
		"choices of a type":   {`app.option('--a', { type = 'int', choices = { 'x' } })`, `option 'choices' of app.option('--a') has the string "x": expected a whole number`, ""},
		"no choices":          {`app.option('--a', { choices = {} })`, "option 'choices' of app.option('--a') is a table, expected a list", ""},
		"secret, default":     {`app.option('--a', { secret = true, default = 'x' })`, "option 'default' of app.option('--a') does not go with secret = true", ""},
		"secret, choices":     {`app.option('--a', { secret = true, choices = { 'x' } })`, "option 'choices' of app.option('--a') does not go with secret = true", ""},
		"secret, multiple":    {`app.option('--a', { secret = true, multiple = true })`, "option 'multiple' of app.option('--a') does not go with secret = true", ""},
		"secret number":       {`app.option('--a', { secret = true, type = 'int' })`, "app.option('--a'): a secret is of the type string", ""},
		"argument's name":     {`app.argument('--a')`, "an argument's name has letters", ""},
		"unknown in argument": {`app.argument('a', { requird = true })`, "unknown option 'requird' for app.argument('a')", "did you mean 'required'?"},
		"with a colon":        {`app:option('--a')`, "app.option is called with a dot", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := write(t, c.src)
			_, err := luabind.Load(path, luabind.Config{})
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Fatalf("loaded: %v", err)
			}
			if !strings.Contains(e.Message, c.want) || e.Place.File != path || e.Place.Line != strings.Count(c.src, "\n")+1 {
				t.Errorf("got %s\n%s", e.Place, render(err))
			}
			if c.hint != "" && !strings.Contains(strings.Join(e.Hints, "\n"), c.hint) {
				t.Errorf("no hint %s\n%s", c.hint, render(err))
			}
		})
	}
}

func TestCommandDeclared(t *testing.T) {
	t.Parallel()
	s := load(t, `app.command('order', {
  help = 'Take an order.',
  app.option('--number', '-n', { type = 'int', default = 1, min = 1, max = 9, env = 'N', help = 'How many.' }),
  app.option('--tag', { multiple = true, default = { 'a', 'b' }, choices = { 'a', 'b', 'c' } }),
  app.option('--within', { type = 'duration', default = '1m', max = '1h' }),
  app.option('--wrap', { type = 'bool', default = true }),
  app.argument('item'),
  app.argument('more', { type = 'float', required = false, multiple = true }),
}, function() end)`)
	if len(s.App.Commands) != 1 {
		t.Fatalf("got %d commands", len(s.App.Commands))
	}
	c := s.App.Commands[0]
	if c.Name != "order" || c.Help != "Take an order." || !strings.HasSuffix(c.Place, ":1") || len(c.Options) != 4 || len(c.Arguments) != 2 {
		t.Fatalf("got %+v", c)
	}
	n, tag, within, wrap := c.Options[0], c.Options[1], c.Options[2], c.Options[3]
	if n.Name != "number" || n.Short != "n" || n.Kind != app.Int || n.Env != "N" || *n.Min != 1 || *n.Max != 9 || !slices.Equal(n.Default, []string{"1"}) || n.Help != "How many." {
		t.Errorf("got %+v", n)
	}
	if !tag.Multiple || tag.Kind != app.String || !slices.Equal(tag.Default, []string{"a", "b"}) || len(tag.Choices) != 3 {
		t.Errorf("got %+v", tag)
	}
	if !slices.Equal(within.Default, []string{"60"}) || *within.Max != 3600 || !slices.Equal(wrap.Default, []string{"true"}) {
		t.Errorf("got %+v %+v", within, wrap)
	}
	if a, b := c.Arguments[0], c.Arguments[1]; !a.Required || a.Multiple || b.Required || !b.Multiple || b.Kind != app.Float {
		t.Errorf("got %+v %+v", a, b)
	}
}

func TestCommandGetsItsValues(t *testing.T) {
	t.Parallel()
	s := load(t, `app.command('values', {
  app.option('--max-messages', { type = 'int' }), app.option('--big', { type = 'int' }), app.option('--wait', { type = 'duration' }),
  app.option('--on', { type = 'bool' }), app.option('--tag', { multiple = true }), app.option('--no'), app.argument('to', { type = 'float' }),
}, function(o)
  assert(o.max_messages == 7)
  assert(tostring(o.big) == '9007199254740993')
  assert(o.wait == 0.25)
  assert(o.on == true)
  assert(#o.tag == 2 and o.tag[1] == 'a' and o.tag[2] == 'b')
  assert(o.no == nil)
  assert(o.to == -1.5)
  return 3
end)
app.command('text', function() return 'x' end)
app.command('large', function() return 256 end)
app.command('raises', function() error 'boom' end)`)
	h := newHost(t)
	s.App.Attach(h)
	run := func(i int, in app.Input) (int, error) { return s.App.Commands[i].Run(t.Context(), in) }
	code, err := run(0, app.Input{"max-messages": {"7"}, "big": {"9007199254740993"}, "wait": {"0.25"}, "on": {"true"}, "tag": {"a", "b"}, "to": {"-1.5"}})
	if err != nil || code != 3 {
		t.Errorf("%d, %s", code, render(err))
	}
	for i, want := range map[int]string{1: `returned the string "x", expected nothing or an exit code`, 2: "returned the number 256"} {
		if _, err := run(i, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d: %v", i, err)
		}
	}
	_, err = run(3, nil)
	if err == nil || !strings.Contains(render(err), "in command 'raises'") {
		t.Errorf("got %s", render(err))
	}
}
