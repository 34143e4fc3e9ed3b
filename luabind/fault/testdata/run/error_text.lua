local function check(n)
  if n > 2 then
    error('too many: ' .. n)
  end
end
check(3)
