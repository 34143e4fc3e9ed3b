local file, why = nil, 'no such file'
assert(file, why)
