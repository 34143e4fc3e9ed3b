package luabind_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"faust/luabind"
	"faust/luabind/fault"
	"faust/runtime/agent"
	"faust/runtime/app"
)

// TestRefused loads scripts with one mistake each. The place is that of the line with the mistake: the one with -- here, or the last.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src  string
		want string // in the message
		hint string // in a hint; "": not checked
	}{
		"misspelt function":   {`app.tabel('x')`, "app has no 'tabel'", "did you mean 'app.table'?"},
		"assigned":            {`app.topic = 1`, "app is read only: 'topic' cannot be assigned", ""},
		"colon":               {`app:topic('orders')`, "app.topic is called with a dot", ""},
		"dot":                 {"local t = app.topic('orders')\nt.send{ value = 1 }", "send is a method: it is called with a colon", ""},
		"not in this version": {`app.keep 'x'`, "app.keep is not in this version", ""},
		"group_by a field":    {"local T = app.record('T', { country = 'string' })\napp.topic('orders', { value = T }):group_by('contry')", "topic:group_by('contry'): T has no field 'contry'", "did you mean 'country'?"},
		"group_by a function": {"local t = app.topic('orders')\nt:group_by('x', function() end)\nt:group_by('x', function() end)", "topic:group_by('x') is declared twice: first at ", ""},
		"group_by letters":    {"local t = app.topic('orders')\nlocal a = app.agent('a', t, function() end)\na.dead_letters:group_by('x')", "topic:group_by('x'): the topic  is a topic of the app's own", ""},
		"group_by nameless":   {"local t = app.topic('orders')\napp.agent(t:group_by('x'), function() end)", "app.agent: an agent of grouped messages needs a name", ""},
		"group_by taken":      {"local t = app.topic('orders')\napp.agent('orders-by-x', t, function() end)\nt:group_by('x')", "needs an agent of its own called 'orders-by-x'", ""},
		"group_by topic":      {"local t = app.topic('orders')\napp.topic('app-orders-by-x-repartition')\nt:group_by('x')", "orders:group_by('x') needs a topic of its own called 'app-orders-by-x-repartition'", ""},
		"merge nothing":       {`app.merge()`, "app.merge: a topic is missing", ""},
		"merge one":           {"app.merge(app.topic('a'))", "app.merge: one topic is nothing to merge", ""},
		"merge twice":         {"local a = app.topic('a')\napp.merge(a, a)", "app.merge: the topic a is there twice", ""},
		"merge unlike":        {"app.merge(app.topic('a'), app.topic('b', { value = 'string' }))", "app.merge: a has values of type json, b of type string", "an agent each"},
		"merge no topic":      {"app.merge(app.topic('a'), 'b')", "expected a topic", ""},
		"merged, nameless":    {"app.agent(app.merge(app.topic('a'), app.topic('b')), function() end)", "app.agent: an agent of several topics needs a name", ""},
		"a list of topics":    {"app.agent('x', { app.topic('a'), app.topic('b') }, function() end)", "the source is a list of topics", "app.merge"},
		"guarantee":           {`app.configure { processing_guarantee = 'exactly_onec' }`, "expected one of: at_least_once, exactly_once", ""},

		"unknown setting":    {`app.configure { web_prot = 1 }`, "unknown option 'web_prot' for app.configure", "did you mean 'web_port'?"},
		"bad setting":        {`app.configure { web_port = 99999 }`, "setting 'web_port' cannot be '99999'", ""},
		"setting of a type":  {`app.configure { topic_partitions = true }`, "option 'topic_partitions' of app.configure is true, expected", ""},
		"set twice":          {"app.configure { id = 'a' }\napp.configure { id = 'b' }", "setting 'id' is set twice: first at", ""},
		"unknown in conf":    {`print(app.conf.brokr)`, "unknown setting 'brokr'", "did you mean 'broker'?"},
		"conf is read only":  {`app.conf.id = 'x'`, "app.conf is read only", ""},
		"configure no table": {`app.configure('id')`, `app.configure: the table of settings is the string "id", expected a table`, ""},

		"no topic name":        {`app.topic()`, "app.topic: the topic's name is missing", ""},
		"topic name a number":  {`app.topic(5)`, "the topic's name is the number 5, expected a string", ""},
		"bad topic name":       {`app.topic('my orders')`, "'my orders' cannot be the name of a topic", ""},
		"topic twice":          {"app.topic('a')\napp.topic('a')", "topic 'a' is declared twice: first at", "app.topics['a']"},
		"unknown option":       {`app.topic('a', { partitons = 3 })`, "unknown option 'partitons' for app.topic('a')", "did you mean 'partitions'?  known: key, value, partitions"},
		"option's type":        {`app.topic('a', { partitions = 'x' })`, `option 'partitions' of app.topic('a') is the string "x", expected a whole number from 1 to 10000`, ""},
		"fraction":             {`app.topic('a', { partitions = 1.5 })`, "expected a whole number", ""},
		"duration":             {`app.topic('a', { retention = '7 moons' })`, `option 'retention' of app.topic('a') is the string "7 moons", expected a duration`, ""},
		"partitioner":          {`app.topic('a', { partitioner = 'murmur3' })`, "expected one of: murmur2, crc32", "did you mean 'murmur2'?"},
		"unknown codec":        {`app.topic('a', { value = 'jsn' })`, "unknown codec 'jsn'", "did you mean 'json'?"},
		"options without name": {`app.topic('a', { 'json' })`, "the options have names", ""},
		"too many":             {`app.topic('a', {}, 5)`, "argument 3 is too many: the number 5", ""},
		"unknown topic":        {"app.topic('orders')\nprint(app.topics.order)", "no topic 'order' is declared", "did you mean 'orders'?"},
		"field of a topic":     {"local t = app.topic('orders')\nprint(t.sned)", "a topic has no 'sned'", "did you mean 'send'?"},
		"assign to a topic":    {"local t = app.topic('orders')\nt.name = 'x'", "the fields of a topic cannot be assigned", ""},
		"record type":          {`app.record('R', { a = 'strng' })`, "unknown type 'strng'", "did you mean 'string'?"},
		"record twice":         {"app.record('R', {})\napp.record('R', {})", "record 'R' is declared twice", ""},

		"agent without function": {"local t = app.topic('a')\napp.agent(t)", "app.agent('a'): the function is missing", "the function comes last"},
		"agent without name":     {`app.agent(function() end)`, "needs a name", ""},
		"source a string":        {`app.agent('x', 'orders', function() end)`, `the source is the string "orders", expected a topic or a channel`, "local orders = app.topic('orders')"},
		"source nil":             {`local t app.agent('x', t, function() end)`, "the source is nil", ""},
		"two on a topic":         {"local t = app.topic('a')\napp.agent(t, function() end)\napp.agent(t, function() end)", "a second agent reads topic 'a'", "name it"},
		"agent twice":            {"local t = app.topic('a')\napp.agent('x', t, function() end)\napp.agent('x', t, function() end)", "agent 'x' is declared twice: first at", ""},
		"on_error":               {"local t = app.topic('a')\napp.agent(t, { on_error = 'skpi' }, function() end)", "option 'on_error' of app.agent('a') is 'skpi', expected one of: dead_letter, skip, stop", "did you mean 'skip'?"},
		"retry policy":           {"local t = app.topic('a')\napp.agent(t, { on_error = { retries = 3 } }, function() end)", "unknown option 'retries'", "did you mean 'retry'?"},
		"backoff":                {"local t = app.topic('a')\napp.agent(t, { on_error = { retry = 3, backoff = { 'x' } } }, function() end)", "expected a duration, or a list of them", ""},
		"sink":                   {"local t = app.topic('a')\napp.agent(t, { sinks = { 'out' } }, function() end)", "expected a list of topics and functions", ""},
		"tables":                 {"local t = app.topic('a')\napp.agent(t, { tables = { x = 1 } }, function() end)", "option 'tables' of app.agent('a') is a table, expected a list of tables", ""},
		"page's table a name":    {"app.table('totals')\napp.page('/t/{id}/', { table = 'totals', key = 'id' }, function() end)", `option 'table' of app.page('/t/{id}/') is the string "totals", expected what app.table gives`, "app.tables['totals'] gives it"},
		"page's table typo":      {"app.table('totals')\napp.page('/t/{id}/', { table = 'total', key = 'id' }, function() end)", `is the string "total", expected what app.table gives`, "did you mean 'totals'?"},
		"page's table topic":     {"app.page('/t/{id}/', { table = app.topic('a'), key = 'id' }, function() end)", "option 'table' of app.page('/t/{id}/') is the topic a", ""},
		"page's key typo":        {"local t = app.table('t')\napp.page('/t/{country}/{x}', { table = t, key = 'contry' }, function() end)", "option 'key' of app.page('/t/{country}/{x}') is 'contry', expected one of: country, x", "did you mean 'country'?"},
		"page's key nowhere":     {"local t = app.table('t')\napp.page('/t/*', { table = t, key = 'id' }, function() end)", "the path '/t/*' has no part that could be the key", ""},
		"page without key":       {"local t = app.table('t')\napp.page('/t/{id}/', { table = t }, function() end)", "table = ... needs key = '...'", ""},
		"page without table":     {"app.page('/t/{id}/', { key = 'id' }, function() end)", "key = 'id' needs table = ...", ""},
		"page's local table":     {"local t = app.table('t', { scope = 'partition' })\napp.page('/t/{id}/', { table = t, key = 'id' }, function() end)", "table 't' has scope = 'partition'", ""},
		"table twice":            {"app.table('t')\napp.table('t')", "table 't' is declared twice: first at", "app.tables['t'] gives it"},
		"table's name":           {"app.table('a b')", "'a b' cannot be the name of a table", ""},
		"table's option":         {"app.table('t', { defualt = 0 })", "unknown option 'defualt' for app.table('t')", "did you mean 'default'?"},
		"table's scope":          {"app.table('t', { scope = 'local' })", "option 'scope' of app.table('t') is 'local', expected one of: key, partition", ""},
		"table's codec":          {"app.table('t', { value = 'flaot' })", "unknown codec 'flaot'", "did you mean 'float'?"},
		"table's default":        {"app.table('t', { default = 'x', value = 'int' })", "not an int: it is the string \"x\", expected int", ""},
		"table's default null":   {"app.table('t', { default = null })", "option 'default' of app.table('t') is null, expected a value; without one it is nil", ""},
		"set of records":         {"local R = app.record('R', { a = 'int' })\napp.set_table('s', { value = R })", "value = R: members are texts, numbers and booleans", ""},
		"set with a default":     {"app.set_table('s', { default = {} })", "unknown option 'default'", ""},
		"set table twice":        {"app.table('s')\napp.set_table('s')", "table 's' is declared twice", ""},
		"set read":               {"local s = app.set_table('s')\nprint(#s.x)", "table 's' cannot be read while the file is being loaded", "app.task"},
		"set written":            {"local s = app.set_table('s')\ns:add('x', 1)", "table 's' cannot be written while the file is being loaded", ""},
		"table with a colon":     {"app:table('t')", "app.table is called with a dot, not with a colon", ""},
		"table read":             {"local t = app.table('t')\nprint(t.x)", "table 't' cannot be read while the file is being loaded", "app.task"},
		"table written":          {"local t = app.table('t')\nt.x = 1", "table 't' cannot be written while the file is being loaded", "default ="},
		"table gone through":     {"local t = app.table('t')\nfor k in pairs(t) do end", "table 't' cannot be read while the file is being loaded", ""},
		"changelog taken":        {"app.configure { id = 'i' }\napp.topic('i-t-changelog')\napp.table('t') -- here\n", "table 't' needs a topic of its own called 'i-t-changelog', but that is topic 'i-t-changelog'", "another name"},
		"tables of the agent":    {"local t = app.topic('a')\napp.agent(t, { tables = { t } }, function() end)", "option 'tables' of app.agent('a') is the topic a, expected a list of tables", ""},
		"partitioners": {"local t = app.table('t')\nlocal function use(s) for v in s do t[v] = 1 end end\napp.agent(app.topic('a'), use)\napp.agent(app.topic('b', { partitioner = 'crc32' }), use)",
			"table 't' is used by agent 'a', whose topic a has partitioner 'murmur2', and by agent 'b', whose topic b has 'crc32': a key would be in two places", "one partitioner"},
		"partitions": {"local t = app.table('t')\nlocal function use(s) for v in s do t[v] = 1 end end\napp.agent(app.topic('a', { partitions = 4 }), use)\napp.agent(app.topic('b', { partitions = 8 }), use)",
			"table 't' is used by agent 'a', whose topic a has 4 partitions, and by agent 'b', whose topic b has 8: a key would be in two places", "b:group_by('...')"},
		"internal topic taken": {"app.configure { id = 'i' }\napp.topic('i-x')\napp.agent('x', function() end) -- here\n", "agent 'x' needs a topic of its own called 'i-x', but that is topic 'i-x'", "another name"},
		"dead letters taken":   {"app.configure { id = 'i' }\nlocal t = app.topic('i-x-dead-letter')\napp.agent('x', t, function() end) -- here\n", "called 'i-x-dead-letter'", ""},

		"timer interval":   {`app.timer('soon', function() end)`, `the interval is the string "soon", expected a duration`, ""},
		"timer twice":      {"app.timer(1, { name = 'a' }, function() end)\napp.crontab('* * * * *', { name = 'a' }, function() end)", "crontab 'a' is declared twice", ""},
		"task twice":       {"app.task({ name = 'a' }, function() end)\napp.task({ name = 'a' }, function() end)", "task 'a' is declared twice", ""},
		"crontab":          {`app.crontab('* * *', function() end)`, "cannot read '* * *': expected 5 fields", ""},
		"zone":             {`app.crontab('* * * * *', { tz = 'Europe/Olso' }, function() end)`, "unknown time zone 'Europe/Olso'", ""},
		"event of the app": {`app.on('partition_assigned', function() end)`, "unknown event 'partition_assigned' for app.on", "did you mean 'partitions_assigned'?"},

		"send while loading":  {"local t = app.topic('a')\nt:send { value = 1 }", "topic:send cannot be used while the file is being loaded", "app.task"},
		"ask while loading":   {"local a = app.agent('a', function() end)\na:ask(1)", "agent:ask cannot be used while the file is being loaded", ""},
		"spawn while loading": {`spawn(function() end)`, "spawn cannot be used while the file is being loaded", ""},
		"stop while loading":  {`app.stop(1)`, "app.stop cannot be used while the file is being loaded", ""},
		"put while loading":   {"local c = app.channel()\nc:put(1)", "channel:put cannot be used while", ""},

		"web with a colon":       {`web:html('x')`, "web.html is called with a dot, not with a colon: web.html(...)", ""},
		"options after function": {"local t = app.topic('a')\napp.agent('x', t, function() end, {})", "app.agent('x'): argument 4 is too many: a table", "the function comes last:  app.agent(..., function(...) ... end)"},
		"task without a name":    {`app.task({ name = '' }, function() end)`, "option 'name' of app.task is empty", ""},
		"timer without a name":   {`app.timer('1s', { name = '' }, function() end)`, "option 'name' of app.timer('1s') is empty", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := luabind.Load(write(t, c.src), luabind.Config{})
			var e *fault.Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an error of ours", err)
			}
			if !strings.Contains(e.Message, c.want) {
				t.Errorf("message %q, want %q", e.Message, c.want)
			}
			if c.hint != "" && !strings.Contains(strings.Join(e.Hints, "\n"), c.hint) {
				t.Errorf("hints %q, want %q", e.Hints, c.hint)
			}
			lines := strings.Split(c.src, "\n")
			line := len(lines)
			for i, text := range lines {
				if strings.HasSuffix(text, "-- here") {
					line = i + 1
				}
			}
			if e.Place.Line != line || !strings.HasSuffix(e.Place.File, "app.lua") {
				t.Errorf("place %s, want line %d", e.Place, line)
			}
		})
	}
}

func TestDeclared(t *testing.T) {
	t.Parallel()
	s := load(t, `#!/usr/bin/env -S faust run

		-- The first comment. --
		-- The second.
		local Order = app.record('Order', { id = 'int', note = { type = 'string', default = '-', help = 'free text' } })
		local orders = app.topic('orders', { key = 'string', value = Order, partitions = 3, retention = '7d', compact = true, partitioner = 'crc32', help = 'h' })
		local plain = app.topic('plain', { retention = 'forever' })
		local ch = app.channel { value = 'string' }
		local seen = app.agent(orders, { concurrency = 4, max_failures = 7, ack = 'manual', help = 'reads',
			on_error = { retry = 3, backoff = { '1s', 60 }, give_up = 'skip' } }, function() end)
		local quiet = app.agent('quiet', { on_error = 'stop' }, function() end)
		app.agent('chan', ch, { on_error = 'skip' }, function() end)
		app.agent('dead', seen.dead_letters, function() end)
		app.task(function() end)
		app.task(function() end)
		app.task({ name = 'lead', on_leader = true }, function() end)
		app.timer('10s', function() end)
		app.timer(10, function() end)
		app.timer('1m', { name = 'minute', on_leader = true }, function() end)
		app.crontab('0 20 * * *', { tz = 'Europe/Oslo' }, function() end)
		assert(app.topics.orders == orders and app.agents.quiet == quiet and app.records.Order == Order)
		assert(app.conf.commit_interval == 1 and app.conf.topic_partitions == 8 and app.conf.strict == true)
		assert(app.conf.max_message_bytes == 1048576 and app.conf.web_token == nil)
		app.configure { id = 'shop', version = 2 }
		assert(app.conf.id == 'shop' and app.conf.version == 2)
		local names = {}
		for name in pairs(app.topics) do names[#names + 1] = name end
		assert(table.concat(names, ' ') == 'orders plain')
		assert(tostring(orders) == 'the topic orders' and orders.name == 'orders' and quiet.name == 'quiet')
		app.main()
	`)
	a := s.App
	if a.About != "The first comment." {
		t.Errorf("about %q", a.About)
	}
	o := a.Topics[0]
	if o.Name != "orders" || o.Key != "string" || o.Value != "Order" || o.Topic.Partitions != 3 || o.Retention != 7*24*time.Hour || !o.Compact ||
		o.Partitioner != "crc32" || o.Help != "h" || !strings.HasSuffix(o.Place, "app.lua:6") {
		t.Errorf("topic %+v", o)
	}
	if a.Topics[1].Retention != -1 || a.Topics[1].Key != "string" || a.Topics[1].Value != "json" || len(a.Topics) != 2 {
		t.Errorf("topic %+v", a.Topics[1])
	}
	if r := a.Records[0]; r.Name != "Order" || len(r.Fields) != 2 || r.Fields[1].Help != "free text" || r.Fields[1].Required {
		t.Errorf("record %+v", r)
	}
	g := a.Agents[0]
	if g.Name != "orders" || g.Concurrency != 4 || g.MaxFailures != 7 || !g.ManualAck || g.Help != "reads" || g.Topics[0].Name != "orders" || g.DeadLetter != agent.LetterTopic("shop-v2-orders-dead-letter") {
		t.Errorf("agent %+v", g)
	}
	if p, ok := g.Policy.(agent.RetryPolicy); !ok || p.Attempts != 3 || p.GiveUp != agent.Skip || len(p.Backoff) != 2 || p.Backoff[1] != time.Minute {
		t.Errorf("policy %+v", g.Policy)
	}
	if q := a.Agents[1]; !q.Private || q.Topics[0].Name != "shop-v2-quiet" || !q.Topics[0].Internal || q.Policy != agent.Fixed(agent.Stop) {
		t.Errorf("agent %+v", q)
	}
	if c := a.Agents[2]; c.Channel == nil || c.Topics != nil {
		t.Errorf("agent %+v", c)
	}
	if c := a.Agents[2]; c.DeadLetter.Retention != -1 {
		t.Errorf("dead letters of a channel's agent %+v", c.DeadLetter)
	}
	if d := a.Agents[3]; d.Topics[0].Name != "shop-v2-orders-dead-letter" || d.Private {
		t.Errorf("agent %+v", d)
	}
	var names []string
	for _, x := range a.Tasks {
		names = append(names, x.Name)
	}
	for _, x := range a.Timers {
		names = append(names, x.Name)
	}
	equal(t, "names", names, "task", "task-2", "lead", "10s", "10s-2", "minute", "0 20 * * *")
	if !a.Tasks[2].OnLeader || !a.Timers[2].OnLeader || a.Timers[2].Every != time.Minute || a.Timers[3].Zone.String() != "Europe/Oslo" || a.Timers[3].Schedule == nil {
		t.Errorf("timers %+v", a.Timers)
	}
	if origin, _ := a.Settings.Origin("id"); !strings.HasPrefix(string(origin), "app.configure (") || !strings.HasSuffix(string(origin), "app.lua:24)") {
		t.Errorf("origin %q", origin)
	}
}

func TestLayersAreAboveConfigure(t *testing.T) {
	t.Parallel()
	path := write(t, "app.configure { id = 'script', commit_interval = '2s' }\nassert(app.conf.id == 'flag')")
	s, err := luabind.Load(path, luabind.Config{Layers: app.Layers{app.LayerOf("--id", map[string]string{"id": "flag"})}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.App.Settings.ID != "flag" || s.App.Settings.CommitInterval != 2*time.Second {
		t.Errorf("settings %+v", s.App.Settings)
	}
	if _, err := luabind.Load(path, luabind.Config{Layers: app.Layers{app.LayerOf("--nonsense", map[string]string{"nonsense": "1"})}}); !errors.As(err, new(*app.UnknownSettingError)) {
		t.Errorf("unknown setting of a layer: %v", err)
	}
}

func TestLoadPrint(t *testing.T) {
	t.Parallel()
	var load, run strings.Builder
	s, err := luabind.Load(write(t, "print 'loading' app.task(function() print 'running' end)"), luabind.Config{Stdout: &run, LoadPrint: &load})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.App.Tasks[0].Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if load.String() != "loading\n" || run.String() != "running\n" {
		t.Errorf("load %q, run %q", load.String(), run.String())
	}
}

func TestWarnsOfAgentNamedAsTopic(t *testing.T) {
	t.Parallel()
	s := load(t, "local orders = app.topic('orders')\napp.agent('orders', function(stream) end)")
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0].Message, "it does not read that topic") || s.Warnings[0].Place.Line != 2 {
		t.Errorf("warnings %v", s.Warnings)
	}
}

func TestDeclaringLaterIsRefused(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"app.topic('x')", "app.record('x', {})", "app.configure {}", "app.agent('x', function() end)", "app.task(function() end)",
		"app.timer(1, function() end)", "app.on('produce_error', function() end)", "app.channel()"} {
		s := load(t, "app.task(function()\n"+call+"\nend)")
		err := s.task()
		var e *fault.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, "it can only be used while the file is being loaded") || e.Place.Line != 2 {
			t.Errorf("%s: %v", call, err)
		}
	}
}

// pairs goes through what app has, and cannot change it.
func TestPairsOfApp(t *testing.T) {
	t.Parallel()
	s := load(t, `local n = 0
		for name, value in pairs(app) do
			n = n + 1
			if name == 'topic' then print(type(value)) end
		end
		print(n > 15, pcall(function() app.topic = nil end))`)
	if got := s.out.String(); !strings.HasPrefix(got, "function\ntrue\tfalse\t") {
		t.Errorf("printed %q", got)
	}
}
