local user = { nam = 'x' }
print('hello ' .. user.name)
