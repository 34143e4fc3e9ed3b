local function check(n)
  error('n must be small', 2)
end
local x = 1
check(x)
