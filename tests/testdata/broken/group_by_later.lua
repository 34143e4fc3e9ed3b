local orders = app.topic('orders')
app.agent(orders:group_by('country'), function(stream) end)
