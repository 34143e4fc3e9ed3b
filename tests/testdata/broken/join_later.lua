local orders = app.topic('orders')
app.agent('a', orders:join(app.topic('users'), { type = 'inner' }), function(stream) end)
