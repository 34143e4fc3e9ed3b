local x = 1
local s = x == 1 ? 'one' : 'many'
