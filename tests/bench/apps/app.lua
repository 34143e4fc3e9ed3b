-- The work of the benchmark; WORK says which agent to declare.
app.configure { id = 'bench-' .. env.get('WORK', 'filter') .. env.get('RUN', ''), topic_partitions = 8, web_enabled = false }

local Withdrawal = app.record('Withdrawal', { user = 'string', country = 'string', amount = 'float', date = 'string' })
local Priced = app.record('Priced', { user = 'string', country = 'string', amount = 'float', date = 'string', fee = 'float' })

local withdrawals = app.topic(env.get('TOPIC', 'withdrawals'), { key = 'string', value = Withdrawal })
local priced = app.topic('priced', { key = 'string', value = Priced })
local copied = app.topic('copied', { key = 'string', value = Withdrawal })
local produced = app.topic('produced', { key = 'string', value = Withdrawal })

local totals = app.table('totals', { default = 0.0 })

local spans, closed = app.table('spans', { default = 0.0 }), 0
if env.get('WORK', ''):find '^window' then
  spans:tumbling('1s', { expires = '10s' }):on_close(function() closed = closed + 1 end)
end

local kept = 0

local work = {
  filter = function(stream)
    for w in stream do
      if w.amount > 24000 then kept = kept + 1 end
    end
  end,
  map = function(stream)
    for w in stream do
      priced:send { key = w.user, value = Priced {
        user = w.user, country = w.country:upper(), amount = w.amount, date = w.date, fee = w.amount * 0.01,
      } }
    end
  end,
  sum = function(stream)
    for w in stream do totals[w.user] = totals[w.user] + w.amount end
  end,
  group_by = function(stream)
    for w in stream do totals[w.country] = totals[w.country] + w.amount end
  end,
  window = function(stream)
    for w in stream do spans:add(w.user, w.amount) end
  end,
  window_by = function(stream)
    for w in stream do spans:add(w.country, w.amount) end
  end,
  forward = function(stream)
    for w in stream do copied:send { key = w.user, value = w } end
  end,
}

local name = env.get('WORK', '')
local source = (name == 'group_by' or name == 'window_by') and withdrawals:group_by('country') or withdrawals
local used = { sum = { totals }, group_by = { totals }, window = { spans }, window_by = { spans } }
if work[name] then app.agent('work', source, { tables = used[name] or {} }, work[name]) end

app.command('produce', { app.argument('count', { type = 'int' }) }, function(arguments)
  for i = 1, arguments.count do
    local user = 'user_' .. random.int(0, 499)
    produced:send { key = user, value = Withdrawal {
      user = user, country = 'country_' .. random.int(0, 4), amount = random.float(0, 25000), date = '2026-11-23T18:00:00Z',
    } }
  end
end)
