local t = {}
local id
t[id] = 1
