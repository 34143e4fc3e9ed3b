app.agent('a', 'orders', function(stream) end)
