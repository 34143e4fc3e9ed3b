local x = 3
if x == 1 then
  print 'one'
elif x == 2 then
  print 'two'
end
