local first
for i = first, 10 do print(i) end
