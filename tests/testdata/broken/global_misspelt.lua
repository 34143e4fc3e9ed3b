local withdrawals = app.topic('withdrawals')
app.agent('a', withdrawls, function(stream) end)
