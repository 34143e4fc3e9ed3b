local s = 'abc'
print(s.upper())
