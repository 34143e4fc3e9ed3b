#!/usr/bin/env -S faust run
-- A page that asks an agent and waits for the answer.

app.configure { id = 'ask', topic_partitions = 2 }

-- No source: the agent has a topic of its own, and only cast and ask reach it.
local adder = app.agent('adder', { help = 'Adds up the numbers it is given.' }, function(stream)
  for request in stream do
    stream:yield(request.a + request.b)
  end
end)

app.page('/add/{a}/{b}/', function(request)
  local a, b = tonumber(request.params.a), tonumber(request.params.b)
  if not a or not b then web.error(400, 'two numbers, please') end
  return { sum = adder:ask({ a = a, b = b }, { timeout = '5s' }) }
end)

app.page('POST /add/', function(request)
  local sums = adder:join(request.json)
  return json.array(sums), 200
end)

app.command('add', {
  help = 'Ask a running worker.',
  app.argument('a', { type = 'float' }),
  app.argument('b', { type = 'float' }),
}, function(arguments)
  say(adder:ask({ a = arguments.a, b = arguments.b }))
end)
