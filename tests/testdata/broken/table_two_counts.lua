local totals = app.table('totals', { default = 0 })
local orders = app.topic('orders', { partitions = 4 })
local refunds = app.topic('refunds', { partitions = 8 })
app.agent('add', orders, function(stream)
  for order in stream do totals[order.user] = totals[order.user] + order.total end
end)
app.agent('take', refunds, function(stream)
  for refund in stream do totals[refund.user] = totals[refund.user] - refund.total end
end)
