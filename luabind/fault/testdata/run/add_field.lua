local w = { amuont = 1 }
local sum = 1 + w.amount
