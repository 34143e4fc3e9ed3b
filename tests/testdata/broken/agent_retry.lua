local orders = app.topic('orders')
app.agent(orders, { on_error = { retry = 5, backof = '1s' } }, function(stream) end)
