app.command('go', function()
  local totals = {}
  totals.no = totals.no + 1
end)
