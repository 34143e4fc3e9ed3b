local s = 'x'
local n = s:len
print(n)
