package api

// optional is the table of options where it may be left out.
var optional = Param{Name: "options", Type: Options, Optional: true}

// last is the function that comes last.
func last(args, text string) Param { return Param{Name: "fn", Type: Func, Args: args, Text: text} }

// codecs are what key= and value= take.
const codecs = "codec or record type"

var helpOption = Option{Name: "help", Type: String, Text: "One line about it, for the lists of the command line."}

var appEntries = []Entry{
	{
		Name: "app", Kind: Module,
		Text: "What declares an app: its records, topics, agents, tasks, pages and commands.",
		More: `A script declares while it is loaded; nothing is sent and nothing waits then. A worker runs what was declared. Functions of app are called with a dot: ` +
			`name first, then what is read, then one table of options, the function last; what can be left out may be left out.`,
		Example: `app.task(function()
  print 'APP STARTED'  --> APP STARTED
end)`,
		See: []string{"app.agent", "app.topic", "app.task", "app.command", "app.configure"},
	},
	{
		Name: "app.configure", Kind: Function,
		Params:  []Param{{Name: "options", Type: Options, Text: "the settings"}},
		Options: settings,
		Text:    "Sets what the app is called and how it runs.",
		More: `Flags and environment variables (FAUST_ and the name in capitals) win over what is set here. It may be called several times, but not twice for one setting. ` +
			`The command 'config' shows the values in force and where each came from.`,
		Example: `app.configure { id = 'shop', version = 2, topic_partitions = 4 }
print(app.conf.id, app.conf.topic_partitions)  --> shop  4`,
		See: []string{"app.conf"},
	},
	{
		Name: "app.record", Kind: Function,
		Params: []Param{
			{Name: "name", Type: String, Text: "the type's name"},
			{Name: "fields", Type: Table, Text: "field name = type, or = a table of the options below"},
		},
		Options: fieldOptions, OptionsOf: "a field",
		Returns: []Return{{Type: "record type", Text: "called with a table it makes a record: Order { id = 1 }"}},
		Text:    "Declares a record type: what a message looks like.",
		More: `Types: string int float bool bytes datetime date uuid decimal int64 any, another record's name, '[T]' for a list, '{K:T}' for a map; a '?' behind a type marks a field ` +
			`that may be missing. Messages are checked when they are read and when they are sent; other fields of a message are passed over. An int is a Lua number, beyond 2^53 an int64.`,
		Example: `local Order = app.record('Order', {
  id = 'string', total = 'float', tags = '[string]?',
  status = { type = 'string', default = 'new', choices = { 'new', 'paid' } },
})
local order = Order { id = 'o1', total = 9.5 }
print(order.id, order.status, order.tags)  --> o1  new  nil`,
		See: []string{"record", "app.topic", "record:derive"},
	},
	{
		Name: "app.topic", Kind: Function,
		Params: []Param{{Name: "name", Type: String, Text: "the topic's name"}, optional},
		Options: []Option{
			{Name: "key", Type: codecs, Default: "'string'", Text: "What keys are: string, json, int, float, bool, int64, bytes, raw or a record type."},
			{Name: "value", Type: codecs, Default: "'json'", Text: "What values are: json, string, int, float, bool, int64, bytes, raw or a record type."},
			{Name: "partitions", Type: Whole, Min: 1, Max: 10000, Default: "app.conf.topic_partitions", Text: "Number of partitions, if the topic has to be created."},
			{Name: "retention", Type: "duration or 'forever'", Default: "the broker's", Text: "How long messages are kept, if the topic has to be created."},
			{Name: "compact", Type: Boolean, Default: "false", Text: "Keep the latest message of each key for ever, instead of by age."},
			{Name: "partitioner", Type: String, Choices: []string{"murmur2", "crc32"}, Default: "'murmur2'", Text: "How keys find their partition: as Java clients do, or as librdkafka does."},
			helpOption,
			{Name: "replication", Type: Whole, Min: 1, Max: 32767, Default: "app.conf.replication_factor", Text: "Number of copies, if the topic has to be created."},
		},
		Returns: []Return{{Type: "topic"}},
		Text:    "Declares a topic: where messages are, and what they look like.",
		More:    `A topic that does not exist is created when a worker or command first needs it. One that exists is used as it is.`,
		Example: `local orders = app.topic('orders', { key = 'string', value = 'json', partitions = 4, retention = '7d' })
print(orders.name)  --> orders`,
		See: []string{"topic", "topic:send", "app.agent", "app.record"},
	},
	{
		Name: "app.merge", Kind: Function,
		Params: []Param{
			{Name: "topic", Type: "topic", Text: "a topic"},
			{Name: "topics", Type: "topic", Rest: true, Text: "more of them"},
		},
		Returns: []Return{{Type: "source", Text: "what an agent can read"}},
		Text:    "The messages of several topics, for one agent.",
		More: `Their keys and values are of the same types. Messages of a topic's partition stay in order; between topics they come as they arrive. ` +
			`An agent that writes a table needs topics with the same number of partitions.`,
		Example: `local web, shop = app.topic('web_orders'), app.topic('shop_orders')
app.agent('audit', app.merge(web, shop), function(stream)
  for order in stream do print(order.id) end  --> 1
end)
app.task(function() shop:send { value = { id = 1 } } end)`,
		See: []string{"app.agent", "topic:group_by"},
	},
	{
		Name: "app.channel", Kind: Function,
		Params: []Param{optional},
		Options: []Option{
			{Name: "value", Type: codecs, Default: "'json'", Text: "What values are."},
			{Name: "maxsize", Type: Whole, Min: 1, Default: "no limit", Text: "How many values it holds; put waits while it is full."},
		},
		Returns: []Return{{Type: "channel"}},
		Text:    "Declares a channel: a queue in the memory of this process.",
		More:    `An agent can read it like a topic. What is in it is lost when the process ends.`,
		Example: `local jobs = app.channel { maxsize = 100 }
app.task(function()
  jobs:put { id = 1 }
  print(jobs:get().id)  --> 1
end)`,
		See: []string{"channel:put", "channel:get", "app.agent"},
	},
	{
		Name: "app.conf", Kind: Value, Type: "conf",
		Text:    "The settings in force, read only.",
		More:    `Durations are seconds, sizes bytes; what is not set is nil. A name that is no setting raises.`,
		Example: `print(app.conf.web_port, app.conf.commit_interval)  --> 6066  1`,
		See:     []string{"app.configure"},
	},
	{
		Name: "app.topics", Kind: Value, Type: Table,
		Text: "The declared topics by name, read only.",
		Example: `app.topic('orders')
print(app.topics.orders.name)  --> orders`,
		See: []string{"app.topic"},
	},
	{
		Name: "app.agents", Kind: Value, Type: Table,
		Text: "The declared agents by name, read only.",
		Example: `app.agent('audit', app.topic('orders'), function(stream)
  for order in stream do end
end)
for name in pairs(app.agents) do print(name) end  --> audit`,
		See: []string{"app.agent"},
	},
	{
		Name: "app.records", Kind: Value, Type: Table,
		Text: "The declared record types by name, read only.",
		Example: `app.record('Order', { id = 'string' })
print(app.records.Order { id = 'o1' })  --> Order{ id="o1" }`,
		See: []string{"app.record"},
	},
	{
		Name: "app.main", Kind: Function,
		Text:    "May stand at the end of a script, and does nothing more.",
		More:    "With  #!/usr/bin/env -S faust run  as its first line a script is a program of its own: ./app.lua worker.",
		Example: "app.main()",
	},
}

// fieldOptions are those of a field in the table given to app.record.
var fieldOptions = []Option{
	{Name: "type", Type: "type", Required: true, Text: "The field's type, as it would stand there alone."},
	{Name: "default", Type: "value of the type", Text: "The value of a field that is missing."},
	{Name: "min", Type: Number, Text: "The least number."},
	{Name: "max", Type: Number, Text: "The greatest number."},
	{Name: "choices", Type: List, Of: "values", Text: "The values it may have."},
	{Name: "format", Type: String, Choices: []string{"rfc3339", "unix", "unix_ms", "unix_us", "unix_ns"}, Default: "'rfc3339'", Text: "How a datetime is written in JSON."},
	{Name: "help", Type: String, Text: "One line about the field."},
}
