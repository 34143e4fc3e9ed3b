for i = 1, 3 do
  goto continu
  ::continue::
end
