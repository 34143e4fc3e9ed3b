local counts = {}
local key = 'a'
print(counts[key].total)
