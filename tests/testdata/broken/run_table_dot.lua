local totals = app.table('totals', { default = 0 })
app.command('go', function()
  totals.add('NO', 1)
end)
