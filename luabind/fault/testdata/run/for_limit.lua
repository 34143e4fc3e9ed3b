local list = { 1, 2 }
for i = 1, list do print(i) end
