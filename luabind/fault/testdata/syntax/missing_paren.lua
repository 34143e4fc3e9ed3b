print('a'
local x = 1
