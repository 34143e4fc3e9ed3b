local Order = app.record('Order', { country = 'string', total = 'float' })
local orders = app.topic('orders', { value = Order })
app.agent('sum', orders:group_by('contry'), function(stream) end)
