local W = app.record('W', { user = 'string', amount = 'float' })
app.command('go', function()
  local w = W { user = 'u', amount = 1 }
  print(w.ammount)
end)
