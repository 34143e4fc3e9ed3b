#!/usr/bin/env -S faust run
-- What happens to messages that cannot be processed. `faust run app.lua dlq` lists them; `dlq replay` sends them back once this is mended.

app.configure { id = 'dead_letters', topic_partitions = 2 }

local Payment = app.record('Payment', {
  account = 'string',
  amount = { type = 'float', min = 0, help = 'in NOK' },
})

local payments = app.topic('payments', { value = Payment })

local done, dead = 0, {}

-- Two more tries, a moment apart, then the message goes to dead_letters-ledger-dead-letter together with the error.
local ledger = app.agent('ledger', payments, {
  on_error = { retry = 2, backoff = { '50ms', '200ms' }, give_up = 'dead_letter' },
}, function(stream)
  for payment in stream do
    if payment.account == 'closed' then error('account is closed') end
    done = done + 1
  end
end)

-- Dead letters are a topic like any other: key, value and headers as they were, and why in the headers.
app.agent('undertaker', ledger.dead_letters, function(stream)
  for event in stream:events() do
    dead[#dead + 1] = { key = event.key, error = event.headers['faust-error'] }
    print('dead letter', event.key, event.headers['faust-error'])
  end
end)

app.page('/payments/', function() return { done = done, dead = json.array(dead) } end)

app.command('pay', {
  help = 'Send a payment.',
  app.argument('account'),
  app.argument('amount', { type = 'float' }),
}, function(arguments)
  payments:send { key = arguments.account, value = { account = arguments.account, amount = arguments.amount } } :wait()
  say 'sent.'
end)
