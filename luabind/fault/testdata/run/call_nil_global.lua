withdrawals_topic = { name = 'withdrawals' }
local withdrawals = {}
local function produce(n)
  for i = 1, n do
    withdrawal:send { key = i }
  end
end
produce(3)
