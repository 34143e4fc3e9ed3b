local a = [[hello
print(a)
