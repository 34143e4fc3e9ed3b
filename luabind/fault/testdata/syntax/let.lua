let x = 1
const y = 2
print(x + y)
