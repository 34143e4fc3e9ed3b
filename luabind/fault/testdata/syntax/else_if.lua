local x = 3
if x == 1 then
  print 'one'
else if x == 2 then
  print 'two'
else
  print 'many'
end
