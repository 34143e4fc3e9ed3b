print('a' 'b')
local t = math.max(1 2)
