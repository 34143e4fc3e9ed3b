local function name() end
print('hello ' .. name() .. '!')
