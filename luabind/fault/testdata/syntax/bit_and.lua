local a = 6
local b = a & 2
