local list = { 1, 2 }
for _, v in list do print(v) end
