package api

var tableKey = Param{Name: "key", Type: Any, Text: "the key"}

var scopeOption = Option{Name: "scope", Type: String, Choices: []string{"key", "partition"}, Default: "'key'",
	Text: "partition: state that is local to a partition. Any key can be written in any event then, and is another one in each partition."}

// atOption is for tables with windows.
var atOption = Option{Name: "at", Type: "datetime or seconds", Text: "Of a table with windows: the time to count it at, instead of the message's. In a batch of take it has to be said."}

// keyedEntries are about tables that keep what agents write.
var keyedEntries = []Entry{
	{
		Name: "app.table", Kind: Function,
		Params: []Param{{Name: "name", Type: String, Text: "the table's name"}, optional},
		Options: []Option{
			{Name: "default", Type: "any or function", Text: "What keys have that are not there. A table is copied for each key, a function makes a value. It is stored once it was changed."},
			{Name: "key", Type: codecs, Default: "'string'", Text: "What keys are: string, json, int, int64, bytes, raw or a record type."},
			{Name: "value", Type: codecs, Default: "'json'", Text: "What values are: json, string, int, float, bool, int64, bytes, raw or a record type."},
			scopeOption, helpOption,
		},
		Returns: []Return{{Type: "table"}},
		Text:    "Declares a table: values by key, which agents write and everybody reads.",
		More: `An agent reads and writes a table like one of Lua: totals[k] = totals[k] + 1; nil deletes. What an event has written counts when the event is settled, and not at all ` +
			`if it fails. Each change is also kept in the topic <id>-<table>-changelog, from which another worker takes over. A key lives in one partition, the one of the messages that ` +
			`have it as their key: an event of another partition cannot read or write it. A table or record that was read in an event and changed in place is saved when the event ends. ` +
			`Pages, timers, tasks and the console read what this worker has, as copies, and cannot write.`,
		Example: `local totals = app.table('totals', { default = 0 })
local orders = app.topic('orders')
app.agent('sum', orders, function(stream)
  for order in stream do
    totals[order.user] = totals[order.user] + order.total
    print(totals[order.user])  --> 20
  end
end)
app.task(function() orders:send { key = 'u1', value = { user = 'u1', total = 20 } } end)`,
		See: []string{"table:add", "table:update", "app.set_table", "app.global_table", "app.agent", "app.tables"},
	},
	{
		Name: "app.global_table", Kind: Function,
		Params: []Param{{Name: "name", Type: String, Text: "the table's name"}, optional},
		Options: []Option{
			{Name: "default", Type: "any or function", Text: "What keys have that are not there, as for app.table."},
			{Name: "key", Type: codecs, Default: "'string'", Text: "What keys are: string, json, int, int64, bytes, raw or a record type."},
			{Name: "value", Type: codecs, Default: "'json'", Text: "What values are: json, string, int, float, bool, int64, bytes, raw or a record type."},
			helpOption,
		},
		Returns: []Return{{Type: "table"}},
		Text:    "Declares a table that every worker has all of, to read: one agent writes it, all others read any key.",
		More: `The agent that writes it declares it with tables = { ... }, unless it is the only one that uses it; a write from another one raises. What it has written reaches the other workers ` +
			`after its commit, a key's changes in order: a read gives what has arrived. A worker begins its work only when it has read what the table had when the worker started. ` +
			`Values that are read elsewhere than in that agent's events are copies.`,
		Example: `local rates = app.global_table('rates', { default = 1 })
local quotes, orders = app.topic('quotes'), app.topic('orders')
app.agent('quote', quotes, { tables = { rates } }, function(stream)
  for currency, rate in stream:items() do rates[currency] = rate end
end)
app.agent('price', orders, function(stream)
  for order in stream do print(order.total * rates[order.currency]) end  --> 20
end)
app.task(function() orders:send { key = 'o1', value = { currency = 'EUR', total = 20 } } end)`,
		See: []string{"app.table", "app.agent", "app.tables"},
	},
	{
		Name: "app.tables", Kind: Value, Type: Table,
		Text: "The declared tables by name, read only.",
		Example: `app.table('totals', { default = 0 })
print(app.tables.totals)  --> the table totals`,
		See: []string{"app.table"},
	},
	{
		Name: "table", Kind: Object,
		Text: "What app.table gives: values by key. t[k], t[k] = v, pairs(t) and #t work as with tables of Lua.",
		More: `pairs goes through the keys of the partitions that this worker has, in no order that means something; so does #. What is deleted while it runs is left out, what is changed ` +
			`is given as it is then, what is new may be left out. Keys and methods do not meet: t.keys is what the key 'keys' has, t:keys() the method.`,
		Example: `local totals = app.table('totals', { default = 0 })
app.task(function()
  for user, total in pairs(totals) do print(user, total) end
  print(#totals, totals.nobody)  --> 0  0
end)`,
		See: []string{"app.table", "table:add", "table:update", "table:get", "table:has", "table:keys", "table:everywhere"},
	},
	{
		Name: "table:add", Kind: Method,
		Params:  []Param{tableKey, {Name: "n", Type: Number, Text: "the number to add"}, optional},
		Options: []Option{atOption},
		Returns: []Return{{Type: Number, Text: "the new value"}},
		Text:    "Adds a number to what the key has, or to the default.",
		More: `An int64 or a decimal can be added as well. Only agents can, in an event. In a table with windows it counts in every window that the message's time falls into; what comes back is ` +
			`the value in the oldest of them, nil if all are closed.`,
		Example: `local counts = app.table('counts', { default = 0 })
local words = app.topic('words')
app.agent('count', words, function(stream)
  for word in stream do print(counts:add(word, 1)) end  --> 1
end)
app.task(function() words:send { key = 'a', value = 'a' } end)`,
		See: []string{"table:update", "app.table"},
	},
	{
		Name: "table:update", Kind: Method,
		Params:  []Param{tableKey, optional, last("value", "makes the new value of what the key has, or of the default; nil deletes the key")},
		Options: []Option{atOption},
		Returns: []Return{{Type: Any, Text: "the new value"}},
		Text:    "Gives a key what a function makes of its value.",
		More:    `Only agents can, in an event. In a table with windows it is called for every window that the message's time falls into.`,
		Example: `local last = app.table('last', { default = {} })
local orders = app.topic('orders')
app.agent('keep', orders, function(stream)
  for id, order in stream:items() do
    last:update(id, function(list) table.insert(list, order.total) return list end)
    print(last[id][1])  --> 20
  end
end)
app.task(function() orders:send { key = 'o1', value = { total = 20 } } end)`,
		See: []string{"table:add", "app.table"},
	},
	{
		Name: "table:get", Kind: Method,
		Params:  []Param{tableKey, {Name: "otherwise", Type: Any, Optional: true, Text: "what to give if the key is not there; without it nil"}},
		Returns: []Return{{Type: Any, Text: "the value"}},
		Text:    "Gives what a key has, without the table's default.",
		More:    `The table does not keep what is given otherwise, even if it is changed in place.`,
		Example: `local totals = app.table('totals', { default = 0 })
app.task(function()
  print(totals.nobody, totals:get('nobody'), totals:get('nobody', -1))  --> 0  nil  -1
end)`,
		See: []string{"table:has", "app.table"},
	},
	{
		Name: "table:has", Kind: Method,
		Params:  []Param{tableKey},
		Returns: []Return{{Type: Boolean}},
		Text:    "Tells whether a key is there.",
		Example: `local totals = app.table('totals', { default = 0 })
app.task(function() print(totals:has 'nobody') end)  --> false`,
		See: []string{"table:get", "app.table"},
	},
	{
		Name: "table:keys", Kind: Method,
		Returns: []Return{{Type: List, Text: "the keys"}},
		Text:    "Lists the keys of the partitions that this worker has.",
		Example: `local totals = app.table('totals', { default = 0 })
app.task(function() print(#totals:keys()) end)  --> 0`,
		See: []string{"table:has", "app.table"},
	},
	{
		Name: "table:everywhere", Kind: Method, Waits: true,
		Returns: []Return{{Type: Func, Text: "for the loop: gives the next key and its value"}},
		Text:    "Goes through the keys of all workers: for key, value in t:everywhere() do.",
		More: `For pages, timers, tasks, commands and the console, not for events. Partition after partition is asked of the worker that has it, and what is given are copies; what changes meanwhile ` +
			`may be seen or not. If there is a partition that nobody can be asked about, it raises before it gives anything; if one fails on the way, it raises there. ` +
			`On other machines workers ask each other with web_token, which all have to share. A command asks the workers that run with its data directory.`,
		Example: `local totals = app.table('totals', { default = 0 })
app.task(function()
  local sum = 0
  for user, total in totals:everywhere() do sum = sum + total end
  print(sum)  --> 0
end)`,
		See: []string{"table:keys", "app.table"},
	},
}
