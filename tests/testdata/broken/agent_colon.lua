local orders = app.topic('orders')
app:agent(orders, function(stream) end)
