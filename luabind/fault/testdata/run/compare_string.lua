local age = '18'
if age >= 18 then print 'adult' end
