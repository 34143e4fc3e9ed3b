app.command('go', function() error({ code = 7, reason = 'closed' }) end)
