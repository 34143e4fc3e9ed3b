local totals = app.table('totals', { default = 0 })
app.agent('add', app.topic('orders'), function(stream)
  for order in stream do totals:add(order.user, order.total) end
end)
app.command('go', function()
  totals.NO = 1
end)
