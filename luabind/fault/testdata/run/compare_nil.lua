local limit
for i = 1, 3 do
  if i > limit then print(i) end
end
