app.command('go', function() fail('there is nothing to do') end)
