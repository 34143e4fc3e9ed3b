local a, b = { x = 1 }, {}
print(a.x.y, b.x.y, a.x)
