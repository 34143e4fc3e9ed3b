local t = app.topic('t')
app.agnet(t, function(stream) end)
