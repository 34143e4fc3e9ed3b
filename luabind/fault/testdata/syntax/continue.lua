for i = 1, 10 do
  if i % 2 == 0 then
    continue
  end
  print(i)
end
