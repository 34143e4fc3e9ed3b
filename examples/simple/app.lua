#!/usr/bin/env -S faust run
-- Withdrawals, added up per country.

app.configure { id = 'simple', version = 1, topic_partitions = 4, processing_guarantee = 'exactly_once' }

-- What a message looks like. A '?' marks a field that may be missing.
local Withdrawal = app.record('Withdrawal', {
  user = 'string', country = 'string', amount = 'float', date = 'datetime?',
})

local withdrawals = app.topic('withdrawals', { key = 'string', value = Withdrawal })

local country_totals = app.table('country_totals', { default = 0, help = 'Sum of all withdrawals, by country.' })

-- Messages arrive keyed by user; group_by sends them on keyed by country, so that each country is
-- added up in one place however many workers there are.
app.agent('track_countries', withdrawals:group_by('country'), function(stream)
  for withdrawal in stream do
    local country = withdrawal.country
    country_totals[country] = country_totals[country] + withdrawal.amount
  end
end)

app.task(function() print 'APP STARTED' end)

app.timer('10s', function()
  for country, total in pairs(country_totals) do print(('%-12s %16.2f'):format(country, total)) end
end)

app.page('/totals/{country}/', { table = country_totals, key = 'country' }, function(request)
  local country = request.params.country
  return { country = country, total = country_totals[country] }
end)

app.command('produce', {
  help = 'Send example withdrawals.',
  app.option('--max-latency', { type = 'float', default = 0.5, env = 'PRODUCE_LATENCY',
    help = 'Wait up to this many seconds between two messages.' }),
  app.option('--max-messages', { type = 'int',
    help = 'Stop after this many messages; without it, go on forever.' }),
}, function(options)
  say 'Done setting up. SENDING!'
  local sent = 0
  while options.max_messages == nil or sent < options.max_messages do
    local user = 'user_' .. random.int(0, 499)
    withdrawals:send { key = user, value = Withdrawal {
      user = user,
      country = random.weighted { country_0 = 90, country_1 = 2, country_2 = 2, country_3 = 2, country_4 = 2 },
      amount = random.float(0, 25000),
      date = time.now(),
    } }
    if sent % 10000 == 0 then say('+SEND ' .. sent) end
    sent = sent + 1
    if options.max_latency > 0 then time.sleep(random.float(0, options.max_latency)) end
  end
  say(('%d sent.'):format(sent))
end)

app.main()
