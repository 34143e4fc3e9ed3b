app.command('go', function() json.encode({ a = { print } }) end)
