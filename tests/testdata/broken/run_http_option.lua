app.command('go', function()
  local r = http.get('http://example.com/rates', {
    headers = { Accept = 'application/json' },
    timout = '3s',
  })
end)
