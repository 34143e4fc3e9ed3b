app.command('go', function()
  local encode = json.encdoe
  print(encode {})
end)
