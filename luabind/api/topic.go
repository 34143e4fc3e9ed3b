package api

// sendOptions are what a message may have.
var sendOptions = []Option{
	{Name: "key", Type: Any, Text: "The key, as the topic declares it: what has one key stays in order, in one partition. Without it there is none."},
	{Name: "value", Type: Any, Required: true, Text: "The value, as the topic declares it. null is a tombstone, which deletes the key from a compacted topic."},
	{Name: "headers", Type: Table, Of: "names and strings", Text: "Headers: name = string."},
	{Name: "partition", Type: Whole, Max: 1 << 20, Default: "by the key", Text: "The partition, from 0."},
	{Name: "timestamp", Type: "datetime or seconds since 1970", Default: "now", Text: "The message's time."},
}

var topicEntries = []Entry{
	{
		Name: "topic", Kind: Object,
		Text: "What app.topic gives: sends messages, and is what agents read.",
		Example: `local orders = app.topic('orders')
app.task(function() orders:send { key = 'o1', value = { total = 20 } } end)`,
		See: []string{"app.topic", "topic:send", "app.agent"},
	},
	{
		Name: "topic:send", Kind: Method, Waits: true,
		Params: []Param{{Name: "options", Type: Options}}, Options: sendOptions,
		Returns: []Return{{Type: "message", Text: "with :wait(), until it is stored"}},
		Text:    "Sends a message; it waits only while the send buffer is full.",
		More: `What an agent sends belongs to its event: it goes out when the event is settled, is dropped if the event fails, and the event is committed once it is stored. ` +
			`Elsewhere it goes out at once. Nothing can be sent while the file is being loaded.`,
		Example: `local orders = app.topic('orders')
app.command('go', function()
  orders:send { key = 'o1', value = { total = 20 }, headers = { source = 'web' } }
  local stored = orders:send { key = 'o2', value = null, partition = 3 }:wait()
  print(stored.partition, stored.topic)  --> 3  orders
end)`,
		See: []string{"message:wait", "app.topic", "null"},
	},
	{
		Name: "topic:group_by", Kind: Method,
		Params: []Param{
			{Name: "name", Type: String, Text: "the field that is the key, or, with a function, what the grouping is called"},
			optional,
			{Name: "function", Type: Func, Args: "value", Optional: true, Text: "gets a value and gives its key"},
		},
		Options: []Option{
			{Name: "key", Type: codecs, Default: "as the field", Text: "How keys are written; without a record type the default is string."},
			{Name: "partitions", Type: Whole, Min: 1, Max: 1 << 20, Default: "topic_partitions", Text: "Partitions of the topic in between."},
		},
		Returns: []Return{{Type: "source", Text: "what an agent can read"}},
		Text:    "The topic's messages by another key: all with the same one come to the same partition, in one worker.",
		More: `The messages are sent on through a topic of the app's own, by an agent called topic-by-name, and deleted from there once they are processed. A message without that field goes to its dead letters. ` +
			`Needed where a table's keys are not the topic's keys.`,
		Example: `local orders = app.topic('orders')
local totals = app.table('totals', { default = 0 })
app.agent('sum', orders:group_by('country'), function(stream)
  for order in stream do totals:add(order.country, order.total) end
end)`,
		See: []string{"app.table", "app.agent"},
	},
	{
		Name: "topic.name", Kind: Field, Type: String,
		Text: "The topic's name.",
		Example: `local orders = app.topic('orders')
print(orders.name)  --> orders`,
	},
}

var messageEntries = []Entry{
	{
		Name: "message", Kind: Object,
		Text: "What topic:send gives: a message on its way.",
		Example: `local orders = app.topic('orders')
app.command('go', function()
  local message = orders:send { value = 1, partition = 0 }
  print(message:wait().offset)  --> 0
end)`,
		See: []string{"topic:send", "message:wait"},
	},
	{
		Name: "message:wait", Kind: Method, Waits: true,
		Returns: []Return{{Type: Table, Text: "{ topic =, partition =, offset =, timestamp = }: where it is stored"}},
		Text:    "Waits until the message is stored, and tells where.",
		More:    `In an agent the message goes out at once then, whatever becomes of the event. If it cannot be stored, that is raised.`,
		Example: `local orders = app.topic('orders')
app.command('go', function()
  local stored = orders:send { value = 1, partition = 2 }:wait()
  print(stored.topic, stored.partition, stored.offset)  --> orders  2  0
end)`,
		See: []string{"topic:send"},
	},
	{
		Name: "channel", Kind: Object,
		Text: "What app.channel gives: a queue in memory.  for value in channel do  takes values out as they come.",
		Example: `local jobs = app.channel()
app.task(function()
  for job in jobs do print(job) end  --> 1
end)
app.task(function() jobs:put(1) end)`,
		See: []string{"app.channel", "channel:put", "channel:get"},
	},
	{
		Name: "channel:put", Kind: Method, Waits: true,
		Params: []Param{{Name: "value", Type: Any, Text: "the value"}, optional}, Options: []Option{keyOption},
		Text: "Puts a value into the channel; waits while it is full.",
		More: `The value goes through the channel as bytes: what is taken out is a copy.`,
		Example: `local jobs = app.channel { maxsize = 10 }
app.task(function()
  jobs:put({ id = 1 }, { key = 'k' })
  print(jobs:get().id)  --> 1
end)`,
		See: []string{"channel:get"},
	},
	{
		Name: "channel:get", Kind: Method, Waits: true,
		Params:  []Param{{Name: "timeout", Type: Duration, Optional: true, Text: "the timeout; without one it waits as long as it takes"}},
		Returns: []Return{{Type: Any, Text: "the value; nil if there was none in that time"}},
		Text:    "Takes the next value out of the channel, and waits for it.",
		Example: `local jobs = app.channel()
app.task(function()
  jobs:put 'first'
  print(jobs:get(), jobs:get '10ms')  --> first  nil
end)`,
		See: []string{"channel:put"},
	},
}
