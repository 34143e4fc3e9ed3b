local list = {3, 1}
table.sort(list, (a, b) => a < b)
