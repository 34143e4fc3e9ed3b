for x of list do
  print(x)
end
