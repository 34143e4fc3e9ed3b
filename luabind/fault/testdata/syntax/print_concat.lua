print 'a' .. 'b'
