package api

// onErrorOptions are those of on_error = { retry = 5, ... }.
var onErrorOptions = []Option{
	{Name: "retry", Type: Whole, Min: 1, Required: true, Text: "How many further attempts there are; the partition waits meanwhile."},
	{Name: "backoff", Type: "duration or list of durations", Default: "longer each time", Text: "How long to wait before each attempt; the last one repeats."},
	{Name: "give_up", Type: String, Choices: []string{"dead_letter", "skip", "stop"}, Default: "'dead_letter'", Text: "What happens after the last attempt."},
}

var (
	keyOption     = Option{Name: "key", Type: Any, Text: "The message's key."}
	timeoutOption = Option{Name: "timeout", Type: Duration, Default: "'10s'", Text: "How long to wait for an answer; then timeout is raised."}
	roundKey      = Option{Name: "key", Type: "any or function", Text: "The key of all, or a function that gives the key of a value."}
)

var agentEntries = []Entry{
	{
		Name: "app.agent", Kind: Function,
		Params: []Param{
			{Name: "name", Type: String, Optional: true, Text: "the agent's name; without it that of its topic"},
			{Name: "source", Type: "topic or channel", Optional: true, Text: "what it reads; without one a topic of its own, reached by send, cast and ask"},
			optional,
			last("stream", "its body: a loop over the stream"),
		},
		Options: []Option{
			{Name: "concurrency", Type: Whole, Min: 1, Max: 10000, Default: "1", Text: "How many events of one partition are worked on at a time; those of one key stay in order."},
			{Name: "sinks", Type: List, Of: "topics and functions", Text: "Where stream:yield puts values."},
			{Name: "on_error", Type: "'dead_letter', 'skip', 'stop', table or function", Default: "'dead_letter'", Options: onErrorOptions,
				Text: "What happens to an event that fails: a word, { retry = 5 }, or a function of the error and the event that gives dead_letter, skip, stop or retry."},
			{Name: "max_failures", Type: Whole, Min: 1, Default: "app.conf.max_failures", Text: "Failed events in a row that pause the partition."},
			{Name: "ack", Type: String, Choices: []string{"auto", "manual"}, Default: "'auto'", Text: "manual: events are settled by event:ack() only."},
			{Name: "tables", Type: List, Of: "tables", Text: "Tables that it uses in a way that cannot be found in its code: those that come as values while it runs."},
			helpOption,
		},
		Returns: []Return{{Type: "agent"}},
		Text:    "Declares an agent: a function that reads a topic, message by message.",
		More: `The body loops over the stream; after the loop comes what is to be done when the partition is taken away or the worker stops. Each partition has a body of its own, and ` +
			`a record is committed once the loop asks for the next one and everything it sent is stored. A body that fails is started again with the next record; the failed one goes ` +
			`to the topic <id>-<agent>-dead-letter unless on_error says otherwise.`,
		Example: `local orders = app.topic('orders')
app.agent('audit', orders, { concurrency = 4 }, function(stream)
  for order in stream do
    print(order.id, order.total)  --> o1  20
  end
end)
app.task(function() orders:send { key = 'o1', value = { id = 'o1', total = 20 } } end)`,
		See: []string{"stream", "agent", "app.topic", "stream:yield", "event:ack"},
	},
	{
		Name: "agent", Kind: Object,
		Text: "What app.agent gives: sends to an agent, and asks it.",
		Example: `local double = app.agent('double', function(stream)
  for n in stream do stream:yield(n * 2) end
end)
app.command('go', function() print(double:ask(21)) end)  --> 42`,
		See: []string{"app.agent", "agent:ask", "agent:send"},
	},
	{
		Name: "agent:send", Kind: Method, Waits: true,
		Params: []Param{{Name: "options", Type: Options}}, Options: sendOptions,
		Returns: []Return{{Type: "message", Text: "with :wait(), until it is stored"}},
		Text:    "Sends a message to the agent's topic, as topic:send does.",
		Example: `local audit = app.agent('audit', function(stream)
  for order in stream do print(order.id) end  --> o1
end)
app.task(function() audit:send { key = 'o1', value = { id = 'o1' } } end)`,
		See: []string{"topic:send", "agent:cast", "agent:ask"},
	},
	{
		Name: "agent:cast", Kind: Method, Waits: true,
		Params: []Param{{Name: "value", Type: Any, Text: "the value"}, optional}, Options: []Option{keyOption},
		Text: "Gives the agent a value to process, without waiting for an answer.",
		More: `It waits only while the send buffer, or the channel that the agent reads, is full.`,
		Example: `local audit = app.agent('audit', function(stream)
  for order in stream do print(order.id) end  --> o1
end)
app.task(function() audit:cast({ id = 'o1' }, { key = 'o1' }) end)`,
		See: []string{"agent:ask", "agent:send"},
	},
	{
		Name: "agent:ask", Kind: Method, Waits: true,
		Params: []Param{{Name: "value", Type: Any, Text: "the value"}, optional}, Options: []Option{keyOption, timeoutOption},
		Returns: []Return{{Type: Any, Text: "what the agent yields first; nil if it settles the event without a yield"}},
		Text:    "Gives the agent a value and waits for its answer, wherever the agent runs.",
		More:    `An agent that fails raises agent_error here, and silence timeout. Agents that read a channel cannot be asked.`,
		Example: `local double = app.agent('double', function(stream)
  for n in stream do stream:yield(n * 2) end
end)
app.command('go', function()
  print(double:ask(21, { timeout = '5s' }))  --> 42
end)`,
		See: []string{"stream:yield", "agent:map", "agent:join"},
	},
	{
		Name: "agent:map", Kind: Method, Waits: true,
		Params: []Param{{Name: "list", Type: List, Text: "the list of values"}, optional}, Options: []Option{roundKey, timeoutOption},
		Returns: []Return{{Type: "iterator", Text: "over the answers, null for an event that yielded nothing"}},
		Text:    "Asks for all values of a list at once, and gives the answers in the order in which they arrive.",
		Example: `local double = app.agent('double', function(stream)
  for n in stream do stream:yield(n * 2) end
end)
app.command('go', function()
  local sum = 0
  for answer in double:map { 1, 2, 3 } do sum = sum + answer end
  print(sum)  --> 12
end)`,
		See: []string{"agent:join", "agent:ask"},
	},
	{
		Name: "agent:join", Kind: Method, Waits: true,
		Params: []Param{{Name: "list", Type: List, Text: "the list of values"}, optional}, Options: []Option{roundKey, timeoutOption},
		Returns: []Return{{Type: List, Text: "the answers in the order of the values, null for an event that yielded nothing"}},
		Text:    "Asks for all values of a list at once, and waits for all answers.",
		Example: `local double = app.agent('double', function(stream)
  for n in stream do stream:yield(n * 2) end
end)
app.command('go', function()
  print(table.concat(double:join { 1, 2, 3 }, ' '))  --> 2 4 6
end)`,
		See: []string{"agent:map", "agent:ask"},
	},
	{
		Name: "agent.dead_letters", Kind: Field, Type: "topic",
		Text: "The topic with the events that failed for good; another agent can read it.",
		Example: `local orders = app.topic('orders')
local audit = app.agent('audit', orders, function(stream)
  for order in stream do error 'no good' end
end)
app.agent('failed', audit.dead_letters, function(stream)
  for event in stream:events() do print(event.value.id) end  --> o1
end)
app.task(function() orders:send { value = { id = 'o1' } } end)`,
		See: []string{"app.agent"},
	},
	{
		Name: "agent.name", Kind: Field, Type: String,
		Text: "The agent's name.",
		Example: `local audit = app.agent('audit', app.topic('orders'), function(stream)
  for order in stream do end
end)
print(audit.name)  --> audit`,
	},
}
