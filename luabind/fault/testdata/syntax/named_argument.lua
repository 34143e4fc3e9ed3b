local function f(a) return a end
f(a = 1)
