package api

var setMember = Param{Name: "member", Type: Any, Text: "a text, a number or a boolean"}

// setEntries are about tables whose keys have sets.
var setEntries = []Entry{
	{
		Name: "app.set_table", Kind: Function,
		Params: []Param{{Name: "name", Type: String, Text: "the table's name"}, optional},
		Options: []Option{
			{Name: "key", Type: codecs, Default: "'string'", Text: "What keys are: string, json, int, int64, bytes, raw or a record type."},
			{Name: "value", Type: "codec", Default: "'json'", Text: "What members are: json, which takes texts, numbers and booleans; string, int, float, bool, int64, bytes or raw."},
			scopeOption, helpOption,
		},
		Returns: []Return{{Type: "set_table"}},
		Text:    "Declares a table of sets: members by key, each once, which agents add and remove and everybody reads.",
		More: `As app.table otherwise, and for sets of any size: a member is an entry of its own, in the changelog as well, so that adding or removing one costs the same in a large set. ` +
			`A key and all its members live in one partition.`,
		Example: `local visitors = app.set_table('visitors')
local visits = app.topic('visits')
app.agent('count', visits, function(stream)
  for page, visit in stream:items() do
    visitors:add(page, visit.user)
    print(visitors:count(page))  --> 1
  end
end)
app.task(function() visits:send { key = '/start/', value = { user = 'u1' } } end)`,
		See: []string{"set_table:add", "set_table:members", "app.table"},
	},
	{
		Name: "set_table", Kind: Object,
		Text: "What app.set_table gives: a set of members by key.",
		More: `t[key] is a list of the members, always a new one: what is changed in it is not saved. t[key] = list makes them the members, and nil removes all. A key is there as long as it has a member. ` +
			`for key, members in pairs(t) goes through the keys of the partitions that this worker has, # is how many these are. Members are in the order of their bytes. Keys and methods do not meet: ` +
			`t.keys is the set of the key 'keys', t:keys() the method.`,
		Example: `local visitors = app.set_table('visitors')
app.task(function()
  for page, users in pairs(visitors) do print(page, #users) end
  print(#visitors, #visitors.nobody)  --> 0  0
end)`,
		See: []string{"app.set_table", "set_table:add", "set_table:remove", "set_table:has", "set_table:count", "set_table:members", "set_table:clear", "set_table:keys", "set_table:everywhere"},
	},
	{
		Name: "set_table:add", Kind: Method,
		Params:  []Param{tableKey, setMember},
		Returns: []Return{{Type: Boolean, Text: "whether it is new"}},
		Text:    "Adds a member to the set of a key.",
		More:    `One that is there already costs no change. Only agents can, in an event.`,
		Example: `local seen = app.set_table('seen')
local orders = app.topic('orders')
app.agent('once', orders, function(stream)
  for user, order in stream:items() do
    print(seen:add(user, order.id), seen:add(user, order.id))  --> true  false
  end
end)
app.task(function() orders:send { key = 'u1', value = { id = 17 } } end)`,
		See: []string{"set_table:remove", "set_table:has", "app.set_table"},
	},
	{
		Name: "set_table:remove", Kind: Method,
		Params:  []Param{tableKey, setMember},
		Returns: []Return{{Type: Boolean, Text: "whether it was there"}},
		Text:    "Removes a member from the set of a key.",
		More:    `Only agents can, in an event.`,
		Example: `local online = app.set_table('online')
local logins = app.topic('logins')
app.agent('follow', logins, function(stream)
  for room, login in stream:items() do
    online:add(room, login.user)
    print(online:remove(room, login.user), online:remove(room, 'nobody'))  --> true  false
  end
end)
app.task(function() logins:send { key = 'lobby', value = { user = 'u1' } } end)`,
		See: []string{"set_table:clear", "set_table:add", "app.set_table"},
	},
	{
		Name: "set_table:has", Kind: Method,
		Params:  []Param{tableKey, {Name: "member", Type: Any, Optional: true, Text: "without it: whether the key has any"}},
		Returns: []Return{{Type: Boolean}},
		Text:    "Tells whether a key has a member.",
		Example: `local seen = app.set_table('seen')
app.task(function() print(seen:has('u1', 17), seen:has('u1')) end)  --> false  false`,
		See: []string{"set_table:count", "app.set_table"},
	},
	{
		Name: "set_table:count", Kind: Method,
		Params:  []Param{tableKey},
		Returns: []Return{{Type: Number}},
		Text:    "Tells how many members a key has.",
		More:    `The first time a worker is asked for a key it reads its members, from then on it knows.`,
		Example: `local seen = app.set_table('seen')
app.task(function() print(seen:count('u1')) end)  --> 0`,
		See: []string{"set_table:has", "app.set_table"},
	},
	{
		Name: "set_table:members", Kind: Method,
		Params:  []Param{tableKey},
		Returns: []Return{{Type: Func, Text: "for the loop: gives the next member"}},
		Text:    "Goes through the members of a key: for member in t:members(key) do.",
		More:    `In the order of their bytes, without having all of them in memory. What is removed meanwhile is left out, what is new may be.`,
		Example: `local seen = app.set_table('seen')
app.task(function()
  for id in seen:members('u1') do print(id) end
end)`,
		See: []string{"set_table:count", "set_table", "app.set_table"},
	},
	{
		Name: "set_table:clear", Kind: Method,
		Params: []Param{tableKey},
		Text:   "Removes all members of a key.",
		More:   `Each of them is a change. Only agents can, in an event.`,
		Example: `local seen = app.set_table('seen')
local orders = app.topic('orders')
app.agent('once', orders, function(stream)
  for user, order in stream:items() do
    seen:add(user, order.id)
    seen:clear(user)
    print(seen:count(user))  --> 0
  end
end)
app.task(function() orders:send { key = 'u1', value = { id = 17 } } end)`,
		See: []string{"set_table:remove", "app.set_table"},
	},
	{
		Name: "set_table:keys", Kind: Method,
		Returns: []Return{{Type: List, Text: "the keys"}},
		Text:    "Lists the keys that have members, of the partitions that this worker has.",
		Example: `local seen = app.set_table('seen')
app.task(function() print(#seen:keys()) end)  --> 0`,
		See: []string{"set_table:has", "app.set_table"},
	},
	{
		Name: "set_table:everywhere", Kind: Method, Waits: true,
		Returns: []Return{{Type: Func, Text: "for the loop: gives the next key and a list of its members"}},
		Text:    "Goes through the keys of all workers: for key, members in t:everywhere() do.",
		More:    `For pages, timers, tasks, commands and the console, not for events; as table:everywhere.`,
		Example: `local seen = app.set_table('seen')
app.task(function()
  local users = 0
  for user, ids in seen:everywhere() do users = users + 1 end
  print(users)  --> 0
end)`,
		See: []string{"table:everywhere", "set_table:keys", "app.set_table"},
	},
}
