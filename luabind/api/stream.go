package api

var withinOption = Option{Name: "within", Type: Duration, Text: "Give what there is this long after the first of them; without it a batch is always full."}

var streamEntries = []Entry{
	{
		Name: "stream", Kind: Object,
		Text: "What the body of an agent reads:  for value in stream do.",
		More: `The loop ends when the partition is taken away or the worker stops. A value that the topic's type does not take goes to the agent's on_error, and the loop goes on. ` +
			`A message without a value (a tombstone) is null.`,
		Example: `local orders = app.topic('orders')
app.agent('audit', orders, function(stream)
  for order in stream do print(order.total) end  --> 20
  -- here the partition is taken away or the worker stops: clean up
end)
app.task(function() orders:send { value = { total = 20 } } end)`,
		See: []string{"app.agent", "stream:items", "stream:events", "stream:take", "stream:yield"},
	},
	{
		Name: "stream:items", Kind: Method, Waits: true,
		Returns: []Return{{Type: "iterator", Text: "over key and value"}},
		Text:    "Loops over keys and values:  for key, value in stream:items() do.",
		Example: `local orders = app.topic('orders')
app.agent('audit', orders, function(stream)
  for key, order in stream:items() do print(key, order.total) end  --> o1  20
end)
app.task(function() orders:send { key = 'o1', value = { total = 20 } } end)`,
		See: []string{"stream:events", "stream:enumerate"},
	},
	{
		Name: "stream:events", Kind: Method, Waits: true,
		Returns: []Return{{Type: "iterator", Text: "over events"}},
		Text:    "Loops over events, which have key, value, headers and position.",
		More:    `A value is decoded when it is read first, so an event that is only passed on costs little.`,
		Example: `local orders = app.topic('orders')
app.agent('audit', orders, function(stream)
  for event in stream:events() do
    print(event.key, event.value.total, event.offset)  --> o1  20  0
  end
end)
app.task(function() orders:send { key = 'o1', value = { total = 20 } } end)`,
		See: []string{"event", "stream:event", "stream:take_events"},
	},
	{
		Name: "stream:enumerate", Kind: Method, Waits: true,
		Returns: []Return{{Type: "iterator", Text: "over number and value"}},
		Text:    "Loops over numbered values, from 1.",
		Example: `local orders = app.topic('orders')
app.agent('audit', orders, function(stream)
  for i, order in stream:enumerate() do print(i, order) end  --> 1  first
end)
app.task(function() orders:send { value = 'first' } end)`,
		See: []string{"stream:items"},
	},
	{
		Name: "stream:take", Kind: Method, Waits: true,
		Params: []Param{{Name: "n", Type: Whole, Text: "the number of events"}, optional}, Options: []Option{withinOption},
		Returns: []Return{{Type: "iterator", Text: "over lists of values"}},
		Text:    "Loops over batches of up to n values.",
		More:    `A batch is settled, and fails, as a whole.`,
		Example: `local orders = app.topic('orders')
app.agent('store', orders, function(stream)
  for batch in stream:take(100, { within = '1s' }) do
    print(#batch)  --> 3
  end
end)
app.task(function()
  for i = 1, 3 do orders:send { key = 'k', value = i } end
end)`,
		See: []string{"stream:take_events"},
	},
	{
		Name: "stream:take_events", Kind: Method, Waits: true,
		Params: []Param{{Name: "n", Type: Whole, Text: "the number of events"}, optional}, Options: []Option{withinOption},
		Returns: []Return{{Type: "iterator", Text: "over lists of events"}},
		Text:    "Loops over batches of up to n events.",
		Example: `local orders = app.topic('orders')
app.agent('store', orders, function(stream)
  for events in stream:take_events(2) do
    print(events[1].key, events[2].key)  --> a  a
  end
end)
app.task(function()
  for i = 1, 2 do orders:send { key = 'a', value = i } end
end)`,
		See: []string{"stream:take", "event"},
	},
	{
		Name: "stream:filter", Kind: Method,
		Params:  []Param{last("value", "gives true for the values that get through")},
		Returns: []Return{{Type: "stream"}},
		Text:    "Gives a stream of the values for which a function gives true.",
		Example: `local orders = app.topic('orders')
app.agent('large', orders, function(stream)
  for n in stream:filter(function(n) return n > 10 end) do print(n) end  --> 20
end)
app.task(function()
  orders:send { key = 'k', value = 5 }
  orders:send { key = 'k', value = 20 }
end)`,
		See: []string{"stream:map"},
	},
	{
		Name: "stream:map", Kind: Method,
		Params:  []Param{last("value", "gives the value to go on with; not nil")},
		Returns: []Return{{Type: "stream"}},
		Text:    "Gives a stream of what a function makes of each value.",
		Example: `local orders = app.topic('orders')
app.agent('double', orders, function(stream)
  for n in stream:map(function(n) return n * 2 end) do print(n) end  --> 10
end)
app.task(function() orders:send { value = 5 } end)`,
		See: []string{"stream:filter"},
	},
	{
		Name: "stream:event", Kind: Method,
		Returns: []Return{{Type: "event"}},
		Text:    "Gives the event in hand: that of the value that the loop has; of a batch the last one.",
		Example: `local orders = app.topic('orders')
app.agent('audit', orders, function(stream)
  for order in stream do
    print(order, stream:event().headers.source)  --> 1  web
  end
end)
app.task(function() orders:send { value = 1, headers = { source = 'web' } } end)`,
		See: []string{"event", "stream:events"},
	},
	{
		Name: "stream:forward", Kind: Method,
		Params: []Param{{Name: "topic", Type: "topic", Text: "the topic"}},
		Text:   "Sends the message in hand on to another topic as it is, bytes and all.",
		Example: `local orders, large = app.topic('orders'), app.topic('large')
app.agent('sort', orders, function(stream)
  for order in stream do
    if order.total > 10 then stream:forward(large) end
  end
end)
app.agent('audit', large, function(stream)
  for order in stream do print(order.total) end  --> 20
end)
app.task(function() orders:send { key = 'o1', value = { total = 20 } } end)`,
		See: []string{"event:forward", "topic:send"},
	},
	{
		Name: "stream:yield", Kind: Method,
		Params: []Param{{Name: "value", Type: Any, Text: "the value"}, optional},
		Options: []Option{
			{Name: "key", Type: Any, Default: "the event's", Text: "The key of the message in the sinks."},
		},
		Text: "Gives a value to the agent's sinks; the first of an event answers who asked.",
		More: `In a batch of take the n-th yield answers the n-th message; a batch that yields once answers all its messages with that. ` +
			`It is called yield as in Faust, and has nothing to do with coroutine.yield.`,
		Example: `local results = app.topic('results')
local double = app.agent('double', { sinks = { results } }, function(stream)
  for n in stream do stream:yield(n * 2, { key = 'k' .. n }) end
end)
app.command('go', function() print(double:ask(4)) end)  --> 8`,
		See: []string{"app.agent", "agent:ask"},
	},
}

var eventEntries = []Entry{
	{
		Name: "event", Kind: Object,
		Text: "A message with its key, headers and position; it stays readable after it is settled.",
		Example: `local orders = app.topic('orders')
app.agent('audit', orders, function(stream)
  for event in stream:events() do print(event.topic, event.key) end  --> orders  o1
end)
app.task(function() orders:send { key = 'o1', value = 1 } end)`,
		See: []string{"stream:events", "stream:event", "event:forward", "event:ack"},
	},
	{
		Name: "event:forward", Kind: Method, Waits: true,
		Params: []Param{{Name: "topic", Type: "topic", Text: "the topic"}},
		Text:   "Sends the message on to another topic as it is, bytes and all.",
		Example: `local orders, copies = app.topic('orders'), app.topic('copies')
app.agent('copy', orders, function(stream)
  for event in stream:events() do event:forward(copies) end
end)
app.agent('audit', copies, function(stream)
  for key, value in stream:items() do print(key, value) end  --> o1  1
end)
app.task(function() orders:send { key = 'o1', value = 1 } end)`,
		See: []string{"stream:forward"},
	},
	{
		Name: "event:ack", Kind: Method,
		Returns: []Return{{Type: Boolean, Text: "false: it was settled already"}},
		Text:    "Settles the event, in an agent with ack = 'manual'.",
		More:    `Offsets are committed up to the first event that is not settled.`,
		Example: `local orders = app.topic('orders')
app.agent('store', orders, { ack = 'manual' }, function(stream)
  for event in stream:events() do
    print(event:ack(), event:ack())  --> true  false
  end
end)
app.task(function() orders:send { value = 1 } end)`,
		See: []string{"app.agent"},
	},
	{Name: "event.key", Kind: Field, Type: Any, Text: "The key, as the topic declares it; null if there is none."},
	{Name: "event.value", Kind: Field, Type: Any, Text: "The value, as the topic declares it; null for a tombstone."},
	{Name: "event.headers", Kind: Field, Type: Table, Text: "The headers: name = string; of several with one name the last."},
	{Name: "event.topic", Kind: Field, Type: String, Text: "The name of the topic it was read from."},
	{Name: "event.partition", Kind: Field, Type: Number, Text: "The partition it was read from."},
	{Name: "event.offset", Kind: Field, Type: Number, Text: "Its offset in the partition."},
	{Name: "event.timestamp", Kind: Field, Type: "datetime", Text: "When it was sent, or what the sender said of that."},
}
