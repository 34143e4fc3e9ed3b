local t = nil
local u = t
t.x = 1
