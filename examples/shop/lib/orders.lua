-- What an order looks like and where orders are.
local orders = {}

local Line = app.record('Line', { article = 'string', count = { type = 'int', min = 1 }, price = 'decimal' })

orders.Order = app.record('Order', { customer = 'string', lines = '[Line]', note = 'string?' })
orders.topic = app.topic('orders', { key = 'string', value = orders.Order })

return orders
