local function f(a, b)
  if a then
    print(a)
  else if b then
    print(b)
  end
end
