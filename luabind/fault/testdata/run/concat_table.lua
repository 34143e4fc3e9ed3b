local name = { 'x' }
local s = 'hello ' .. name .. '!'
