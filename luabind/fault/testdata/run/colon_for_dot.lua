local x = 2.5
print(math:floor(x))
