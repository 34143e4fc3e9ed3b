local t = {}
t.end = 5
print(t.end)
