local s = 'x'
print(s:uper())
