local t = {}
t.s = '\x41' != 'A'
