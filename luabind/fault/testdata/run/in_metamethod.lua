local V = {}
V.__add = function(a, b) return a.x + b.x end
local a = setmetatable({ x = 1 }, V)
print(a + { y = 2 })
