local end = 5
print(end)
