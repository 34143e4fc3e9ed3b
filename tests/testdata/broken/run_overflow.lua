local function f(n) return 1 + f(n + 1) end
app.command('go', function() f(1) end)
