app.command('go', function()
  prnt('x')
end)
