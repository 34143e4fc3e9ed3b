app.page('/x/', function(request) end)
app.page('/x/', function(request) end)
