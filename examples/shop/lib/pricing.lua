-- Prices orders and keeps the last invoices.
local orders = require 'lib.orders'

local pricing = { invoices = {} }

local Invoice = app.record('Invoice', { customer = 'string', total = 'decimal' })
local invoices = app.topic('invoices', { key = 'string', value = Invoice })

app.agent('pricing', orders.topic, { sinks = { invoices } }, function(stream)
  for order in stream do
    local total = nil
    for _, line in ipairs(order.lines) do
      local sum = line.price * line.count
      total = total and total + sum or sum
    end
    local invoice = Invoice { customer = order.customer, total = total }
    table.insert(pricing.invoices, { customer = invoice.customer, total = tostring(invoice.total) })
    stream:yield(invoice)
  end
end)

return pricing
