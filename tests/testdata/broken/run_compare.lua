app.command('go', function()
  local limit = '10'
  if 5 < limit then print 'x' end
end)
