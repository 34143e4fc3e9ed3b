package api

// windowOptions are those of tumbling and hopping.
var windowOptions = []Option{
	{Name: "time", Type: String, Default: "'event'", Text: "What tells the time of a message: event, its timestamp; now, when it is processed; or the name of a field that is a datetime, or a number of seconds or milliseconds since 1970."},
	{Name: "grace", Type: Duration, Default: "'10s', or expires if that is less", Text: "How long after its end a window still counts what comes late."},
	{Name: "expires", Type: Duration, Default: "the window's size, or grace if that is more", Text: "How long after its end a window can be read; then it is deleted."},
	{Name: "idle", Type: Duration, Default: "'1m'", Text: "A partition that brings nothing for so long is not waited for. Of several tables of an agent that go by the same time the longest counts."},
	{Name: "ahead", Type: Duration, Default: "'1d'", Text: "How far a message may be ahead of the worker's clock; one that is further ahead fails."},
}

// windowEntries are about tables with windows.
var windowEntries = []Entry{
	{
		Name: "table:tumbling", Kind: Method,
		Params:  []Param{{Name: "size", Type: Duration, Text: "how long a window is"}, optional},
		Options: windowOptions,
		Returns: []Return{{Type: "table", Text: "the same table"}},
		Text:    "Divides a table by time: a key has a value in each window, one window after the other.",
		More: `A message counts in the window that its time falls into, however late it comes, until the window closes: when time has passed its end by grace. Time is what the messages say, by ` +
			`default their timestamps: the smallest of what all partitions brought that feed this one, so that a slow one is waited for. faust help windows tells the whole story.`,
		Example: `local hits = app.topic('hits', { key = 'string' })
local views = app.table('views', { default = 0 }):tumbling('1m', { expires = '1h' })
app.agent('count', hits, function(stream)
  for page in stream:items() do
    views:add(page, 1)
    print(page, views[page])  --> /a  1
  end
end)
app.task(function() hits:send { key = '/a', value = {} } end)`,
		See: []string{"table:hopping", "table:on_close", "table:on_late", "table:delta", "table:windows", "app.table"},
	},
	{
		Name: "table:hopping", Kind: Method,
		Params:  []Param{{Name: "size", Type: Duration, Text: "how long a window is"}, {Name: "step", Type: Duration, Text: "from the start of one to the start of the next, at most the size"}, optional},
		Options: windowOptions,
		Returns: []Return{{Type: "table", Text: "the same table"}},
		Text:    "Divides a table into windows that overlap: a message counts in each that its time falls into.",
		More:    `Reading looks into the oldest of these, which has most of it: with hopping('10s', '5s') what the last five to ten seconds brought. Such a table is written with add and update.`,
		Example: `local hits = app.topic('hits', { key = 'string' })
local recent = app.table('recent', { default = 0 }):hopping('10m', '1m')
app.agent('count', hits, function(stream)
  for page in stream:items() do
    recent:add(page, 1)
    print(recent[page], #recent:windows(page))  --> 1  10
  end
end)
app.task(function() hits:send { key = '/a', value = {} } end)`,
		See: []string{"table:tumbling", "table:update"},
	},
	{
		Name: "table:on_close", Kind: Method,
		Params: []Param{optional, {Name: "fn", Type: Func, Args: "key, window, value", Text: "is called for every key of a window that closes; window.from and window.to are datetimes"}},
		Options: []Option{{Name: "on_error", Type: String, Choices: []string{"retry", "skip"}, Default: "'retry'",
			Text: "What becomes of a window whose function failed: it is tried again, after a second and then less and less often, until it succeeds, while others close; or it is given up."}},
		Returns: []Return{{Type: "table", Text: "the same table"}},
		Text:    "Says what happens when a window closes: its values are final.",
		More: `It runs in the agents that use the table, between two messages, as an event of its own: it may write tables and send, and what it did is dropped if it fails. For every key that has a value ` +
			`in the window it is called once, and a window of a minute closes before that of its hour if their grace is the same; after a crash it may be called again for one that it was called for shortly before, with the same key, window and value.`,
		Example: `local hits = app.topic('hits', { key = 'string' })
local per_minute = app.topic('per-minute', { key = 'string' })
local views = app.table('views', { default = 0 }):tumbling('1m')
views:on_close(function(page, window, count)
  per_minute:send { key = page, value = { page = page, from = window.from, count = count } }
end)
app.agent('count', hits, function(stream)
  for page in stream:items() do print(views:add(page, 1)) end  --> 1
end)
app.task(function() hits:send { key = '/a', value = {} } end)`,
		See: []string{"table:on_late", "table:tumbling"},
	},
	{
		Name: "table:on_late", Kind: Method,
		Params:  []Param{{Name: "fn", Type: Func, Args: "key, event", Text: "is called with the key that was written and the message; in a batch that is one whose time was given with at, nil if there is none"}},
		Returns: []Return{{Type: "table", Text: "the same table"}},
		Text:    "Says what happens with a message that comes when a window of its time is closed.",
		More:    `It is called where the script writes to the table, once for a message, as a part of its event. Windows that are open still count the message.`,
		Example: `local hits = app.topic('hits', { key = 'string' })
local views = app.table('views', { default = 0 }):tumbling('1m', { grace = '0s' })
views:on_late(function(page, event) print('too late', page, event.timestamp) end)  --> too late  /a  1999-12-31T23:00:00Z
app.agent('count', hits, function(stream)
  for page in stream:items() do views:add(page, 1) end
end)
app.task(function()
  hits:send { key = '/a', value = {}, timestamp = time.parse '2000-01-01T00:00:00Z' }
  hits:send { key = '/a', value = {}, timestamp = time.parse '1999-12-31T23:00:00Z' }
end)`,
		See: []string{"table:on_close", "table:tumbling"},
	},
	{
		Name: "table:now", Kind: Method,
		Params:  []Param{tableKey},
		Returns: []Return{{Type: Any, Text: "the value, or the default"}},
		Text:    "Gives what a key has in the window of this moment, by the worker's clock.",
		More:    `t[key] goes by the message in hand or, in pages and timers, by how far time is in the partition, which may be behind.`,
		Example: `local views = app.table('views', { default = 0 }):tumbling('1m')
app.task(function() print(views:now '/a') end)  --> 0`,
		See: []string{"table:delta", "table:windows", "table:tumbling"},
	},
	{
		Name: "table:delta", Kind: Method,
		Params:  []Param{tableKey, {Name: "ago", Type: Duration, Text: "how long before the time that t[key] goes by"}},
		Returns: []Return{{Type: Any, Text: "the value, or the default"}},
		Text:    "Gives what a key had in the window of some time ago.",
		More:    `Windows can be read until they expire.`,
		Example: `local views = app.table('views', { default = 0 }):tumbling('1m', { expires = '1h' })
app.task(function() print(views:delta('/a', '30m')) end)  --> 0`,
		See: []string{"table:now", "table:windows", "table:tumbling"},
	},
	{
		Name: "table:windows", Kind: Method,
		Params:  []Param{tableKey},
		Returns: []Return{{Type: List, Text: "of { from=, to=, value= }, the oldest first"}},
		Text:    "Lists the windows in which a key has a value.",
		Example: `local views = app.table('views', { default = 0 }):tumbling('1m', { expires = '1h' })
app.task(function()
  for _, window in ipairs(views:windows '/a') do print(window.from, window.to, window.value) end
  print(#views:windows '/a')  --> 0
end)`,
		See: []string{"table:now", "table:delta", "table:tumbling"},
	},
}
