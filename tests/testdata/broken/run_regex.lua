app.command('go', function()
  local id = regex.match('order 42', 'order (?=[0-9]+)')
end)
