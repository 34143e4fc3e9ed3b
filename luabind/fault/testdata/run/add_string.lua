local n = 'ten'
print(n + 1)
