local orders = app.topic('orders')
app.agent(orders, { on_error = 'dead_leter' }, function(stream) end)
