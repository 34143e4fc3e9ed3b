for i in range(10) do print(i) end
