do
  goto done
  local x = 1
  ::done::
  print(x)
end
