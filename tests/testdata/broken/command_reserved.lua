app.command('send', function(options) end)
