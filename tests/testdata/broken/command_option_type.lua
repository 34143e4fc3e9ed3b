app.command('go2', { app.option('--max', { type = 'integer' }) }, function(options) end)
