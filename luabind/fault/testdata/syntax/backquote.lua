local name = 'x'
print(`hello ${name}`)
