do
  local total = { n = 1 }
end
print(total.n)
