local function check(n)
  if n > 1 then error('too many', 2) end
end
app.command('go', function()
  check(2)
end)
