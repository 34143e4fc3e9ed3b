function f(x)
  if x then
    print(x)
  end
  end
end
