package api

var (
	nameOption   = Option{Name: "name", Type: String, Text: "Its name in logs and lists; without one it is numbered."}
	leaderOption = Option{Name: "on_leader", Type: Boolean, Default: "false", Text: "Only on one worker, the leader of all workers of the app."}
)

var runEntries = []Entry{
	{
		Name: "app.task", Kind: Function,
		Params:  []Param{optional, last("", "what it does")},
		Options: []Option{nameOption, leaderOption},
		Text:    "Declares a task: a function that runs once, as soon as the worker is fully operational.",
		More:    `With on_leader it runs at every gain of leadership. A task that fails is logged; the worker goes on.`,
		Example: `app.task(function()
  print 'APP STARTED'  --> APP STARTED
end)`,
		See: []string{"app.timer", "spawn", "app.command"},
	},
	{
		Name: "app.timer", Kind: Function,
		Params:  []Param{{Name: "interval", Type: Duration, Text: "the interval"}, optional, last("", "what it does")},
		Options: []Option{nameOption, leaderOption},
		Text:    "Declares a timer: a function that runs again and again.",
		More:    `The first tick is one interval after the worker is operational. A tick that is due while the last one still runs is left out.`,
		Example: `app.timer('10s', function()
  print 'tick'  --> tick
end)`,
		See: []string{"app.crontab", "app.task"},
	},
	{
		Name: "app.crontab", Kind: Function,
		Params: []Param{{Name: "schedule", Type: String, Text: "the schedule: minute hour day month weekday, and perhaps seconds behind them"}, optional, last("", "what it does")},
		Options: []Option{
			{Name: "tz", Type: String, Default: "app.conf.timezone", Text: "The time zone of the schedule, such as 'Europe/Oslo'."},
			nameOption, leaderOption,
		},
		Text: "Declares a function that runs at set times.",
		Example: `app.crontab('* * * * *', { tz = 'Europe/Oslo' }, function()
  print 'a minute has begun'  --> a minute has begun
end)`,
		See: []string{"app.timer"},
	},
	{
		Name: "app.on", Kind: Function,
		Params: []Param{
			{Name: "event", Type: String, Choices: []string{"partitions_assigned", "partitions_revoked", "produce_error"}, Text: "the event's name"},
			last("what", "hears of it"),
		},
		Text: "Hears of what happens to the worker.",
		More: `partitions_assigned and partitions_revoked give a list of { topic =, partition = }; produce_error gives { topic =, key =, value =, headers = } of a message ` +
			`that was sent outside an event and could not be stored, and the error.`,
		Example: `app.on('partitions_assigned', function(partitions)
  for _, p in ipairs(partitions) do
    if p.partition == 0 then print(p.topic) end  --> orders
  end
end)
app.agent(app.topic('orders', { partitions = 2 }), function(stream)
  for order in stream do end
end)`,
		See: []string{"app.agent"},
	},
	{
		Name: "app.stop", Kind: Function,
		Params: []Param{{Name: "code", Type: Whole, Optional: true, Text: "the exit code, from 0 to 255; 0 if left out"}},
		Text:   "Ends the worker or command gracefully.",
		Example: `app.task(function()
  print 'done'  --> done
  app.stop()
end)`,
		See: []string{"fail", "app.command"},
	},
}

var taskEntries = []Entry{
	{
		Name: "spawn", Kind: Function,
		Params:  []Param{last("", "what it does")},
		Returns: []Return{{Type: "task"}},
		Text:    "Starts a task of your own, which runs beside the one that started it.",
		More: `It may outlive the task that started it. In an agent, what it sends while the event is in hand belongs to that event. A task that fails is logged, ` +
			`unless somebody joins it: then the error is raised there.`,
		Example: `app.task(function()
  local task = spawn(function() return 6 * 7 end)
  print(task:join())  --> 42
end)`,
		See: []string{"task:join", "task:cancel", "parallel"},
	},
	{
		Name: "parallel", Kind: Function, Waits: true,
		Params:  []Param{{Name: "list", Type: List, Text: "the list of functions"}},
		Returns: []Return{{Type: "any, ...", Text: "the first result of each, in order"}},
		Text:    "Runs functions at the same time, and waits for all of them.",
		More:    `The first error cancels the rest and is raised.`,
		Example: `app.task(function()
  local a, b = parallel {
    function() time.sleep '20ms' return 'slow' end,
    function() return 'fast' end,
  }
  print(a, b)  --> slow  fast
end)`,
		See: []string{"spawn"},
	},
	{
		Name: "task", Kind: Object,
		Text: "What spawn gives: a task of your own.",
		Example: `app.task(function()
  local task = spawn(function() return 'done' end)
  print(task:join())  --> done
end)`,
		See: []string{"spawn", "task:join", "task:cancel"},
	},
	{
		Name: "task:join", Kind: Method, Waits: true,
		Returns: []Return{{Type: "any, ...", Text: "what its function returned"}},
		Text:    "Waits until the task has ended, and gives what it returned; raises what it raised.",
		Example: `app.task(function()
  print(spawn(function() return 1, 2 end):join())  --> 1  2
end)`,
		See: []string{"task:cancel"},
	},
	{
		Name: "task:cancel", Kind: Method,
		Text: "Ends the task: what it waits for raises cancelled.",
		Example: `app.task(function()
  local task = spawn(function() time.sleep '1h' end)
  task:cancel()
  print(pcall(task.join, task) == false)  --> true
end)`,
		See: []string{"task:join"},
	},
}
