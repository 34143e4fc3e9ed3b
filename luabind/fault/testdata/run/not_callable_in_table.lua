local handlers = { start = 5 }
local name = 'start'
handlers[name]()
