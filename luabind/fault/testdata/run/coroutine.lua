local co = coroutine.wrap(function()
  local t
  t.x = 1
end)
co()
