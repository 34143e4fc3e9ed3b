function a()
  if x then
    print(x)
end

function b()
  while x do
    print(x)
end
