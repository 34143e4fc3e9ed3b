local W = app.record('W', { user = 'string', amount = 'float' })
local w = W { user = 'u', ammount = 1 }
