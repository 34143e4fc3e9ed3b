local function f()
  repeat
    print 'x'
end
