local ok = false
if !ok then print 'no' end
