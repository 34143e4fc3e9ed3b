app.command('graph', function(options) end)
