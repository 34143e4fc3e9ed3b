local parts = { 'a', {}, 'c' }
print(table.concat(parts, ','))
