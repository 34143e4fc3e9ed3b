local s = string.rep('x')
