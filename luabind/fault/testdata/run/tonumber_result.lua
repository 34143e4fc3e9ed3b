local input = 'abc'
local n = tonumber(input) + 1
