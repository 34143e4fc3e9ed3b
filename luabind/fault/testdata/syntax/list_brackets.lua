local list = [1, 2, 3]
for _, v in ipairs(list) do print(v) end
