local n = 0
n += 1
if n != 0 && n < 5 then
  n++
end
if !n then print(n) end
