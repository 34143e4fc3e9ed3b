app.command('go', function()
  local key = env.secret 'NO_SUCH_API_KEY'
end)
