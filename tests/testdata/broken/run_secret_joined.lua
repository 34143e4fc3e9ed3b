app.command('go', function()
  local key = env.secret 'PATH'
  http.get('http://localhost/', {
    headers = { Authorization = ('Bearer %s'):format(key) },
  })
end)
