app.command('go', function() json.decode('{"a": }') end)
