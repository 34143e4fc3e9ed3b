app.command('go', function()
  local withdrawal
  withdrawal:send { key = 'k' }
end)
