local totals = app.table('totals', { default = 0 })
app.command('go', function()
  totals:incr('NO', 1)
end)
