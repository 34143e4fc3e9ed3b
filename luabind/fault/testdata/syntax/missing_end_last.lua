function f()
  print 'x'
