app.task(function()
  if 1 != 2 then print 'x' end
end)
