app.command('go', function()
  local o = { x = {} }
  print(o.x.y.z)
end)
