app.command('go2', { app.option('max', { type = 'int' }) }, function(options) end)
