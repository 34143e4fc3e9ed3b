app.command('go', function()
  local r = http.get('example.com/rates')
end)
